"""What a cluster has of tenants' namespaces, read with few requests.

Five lists tell of a thousand namespaces; for a few it is five small requests each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clusters.inventory.kinds import object_path
from clusters.kube import Connection, NotFound
from tenancy.compare import labels_of, metadata_of
from tenancy.desired import PART
from tenancy.roles import RBAC, role_name

JSON = dict[str, Any]
Key = tuple[str, str]  # kind and name

# (kind, apiVersion, plural), what limits before what lets people in.
PARTS = (
    ("ResourceQuota", "v1", "resourcequotas"),
    ("LimitRange", "v1", "limitranges"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("RoleBinding", f"{RBAC}/v1", "rolebindings"),
)
NAMESPACES = "/api/v1/namespaces"


class There:
    """namespace(name) and parts(name) of namespaces, each object with kind and apiVersion.

    names: of those that are asked about. whole: read all lists at once, for many names.
    Raises KubeError from whichever call comes to ask the cluster.
    """

    def __init__(self, connection: Connection, names: Iterable[str], *, whole: bool) -> None:
        self._connection = connection
        self._whole = whole
        self._names = set(names)
        self._namespaces: dict[str, JSON] | None = None
        self._parts: dict[str, dict[Key, JSON]] | None = None

    def namespace(self, name: str) -> JSON | None:
        """The Namespace of this name, or None when there is none."""
        if not self._whole:
            try:
                found = self._connection.get_json(f"{NAMESPACES}/{name}")
            except NotFound:
                return None
            return {**found, "kind": "Namespace", "apiVersion": "v1"}
        if self._namespaces is None:
            listed = self._listed(NAMESPACES, lambda item: _name(item) in self._names)
            self._namespaces = {
                _name(item): {**item, "kind": "Namespace", "apiVersion": "v1"} for item in listed
            }
        return self._namespaces.get(name)

    def parts(self, name: str) -> dict[Key, JSON]:
        """Its quotas, limit ranges, policies and the console's role bindings."""
        if not self._whole:
            return self._read(name).get(name, {})
        if self._parts is None:
            self._parts = self._read()
        return self._parts.get(name, {})

    def _read(self, namespace: str = "") -> dict[str, dict[Key, JSON]]:
        found: dict[str, dict[Key, JSON]] = {}
        for kind, version, plural in PARTS:

            def wanted(item: JSON, kind: str = kind) -> bool:
                inside = metadata_of(item).get("namespace") in self._names
                return inside and (kind != "RoleBinding" or is_ours(item))

            for item in self._listed(object_path(version, plural, namespace), wanted):
                of = str(metadata_of(item)["namespace"])
                body = {**item, "kind": kind, "apiVersion": version}
                found.setdefault(of, {})[kind, _name(item)] = body
        return found

    def _listed(self, path: str, wanted: Callable[[JSON], bool]) -> list[JSON]:
        """The wanted items of a list: of each page no more is held than these."""
        found: list[JSON] = []
        for page in self._connection.pages(path, lambda answer: _items(answer, wanted)):
            found = page.content if page.first else found + page.content
        return found


def is_ours(item: JSON) -> bool:
    """Whether the console made an object inside a namespace, by its label or its name."""
    return labels_of(item).get(PART) == "tenancy" or _name(item).startswith(role_name(""))


def _items(answer: JSON, wanted: Callable[[JSON], bool]) -> list[JSON]:
    items = answer.get("items")
    if not isinstance(items, list):
        return []
    return [item for item in items if isinstance(item, dict) and _name(item) and wanted(item)]


def _name(item: JSON) -> str:
    return str(metadata_of(item).get("name") or "")
