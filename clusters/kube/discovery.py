"""Which address a kind has on a cluster, by the API's own discovery (API Concepts).

What a cluster said is kept for ten minutes in the console's cache; a kind that
is not in it is asked for again.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from django.core.cache import cache

from clusters.inventory.kinds import api_root, object_path
from clusters.kube.connection import Connection
from clusters.kube.errors import NotFound

SECONDS = 600
MOST_RESOURCES = 5000
_VERSION = re.compile(r"([a-z0-9][-a-z0-9.]{0,252}/)?v[a-z0-9]{1,62}")


class ApiResource(NamedTuple):
    """One resource that a cluster serves."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The path of an object, or of the collection; namespace "" for what has none."""
        return object_path(
            self.api_version, self.plural, namespace if self.namespaced else "", name
        )

    @property
    def resource(self) -> str:
        """As the inventory names it: "deployments.apps"."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.plural}.{group}" if group else self.plural


def resource_of(
    conn: Connection, api_version: str, kind: str, *, fresh: bool = False, timeout: float = 5.0
) -> ApiResource:
    """The resource of a kind. fresh: ask even if it was asked a moment ago.

    Raises NotFound when the cluster serves no such kind, or another KubeError.
    """
    if not _VERSION.fullmatch(api_version):
        raise NotFound(f"{api_version[:80]!r} is no API version.")
    key = _key(conn, api_version)
    kept = None if fresh else cache.get(key)
    if kept is None or kind not in kept:
        kept = _asked(conn, api_version, timeout)
        cache.set(key, kept, SECONDS)
    if kind not in kept:
        raise _unknown(conn, api_version, kind)
    plural, namespaced = kept[kind]
    return ApiResource(api_version, kind, plural, namespaced)


def _asked(conn: Connection, api_version: str, timeout: float) -> dict[str, tuple[str, bool]]:
    try:
        answer = conn.get_json(api_root(api_version), timeout=timeout)
    except NotFound:
        return {}
    return {
        str(one["kind"]): (str(one["name"]), bool(one.get("namespaced")))
        for one in (answer.get("resources") or [])[:MOST_RESOURCES]
        if isinstance(one, dict) and one.get("kind") and "/" not in str(one.get("name", "/"))
    }


def _unknown(conn: Connection, api_version: str, kind: str) -> NotFound:
    return NotFound(
        f"{conn.endpoint} serves no {kind} of {api_version}.",
        "Check apiVersion and kind; a custom kind needs its CustomResourceDefinition first.",
    )


def _key(conn: Connection, api_version: str) -> str:
    # Memcached and others take no blanks and no long keys.
    text = f"{conn.endpoint} {api_version}"
    return f"discovery-{hashlib.sha256(text.encode()).hexdigest()}"
