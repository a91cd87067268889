"""Binds each namespace of an old cluster to the PodSecurityPolicy of its level.

Clusters that the console made of releases before 1.23 come with a policy for each level of the
Pod Security Standards, and with a binding by which everybody may use the one that allows
everything (provisioning.steps.pod_policies). RBAC only adds: while that binding is there no
tenant is held. So where there are tenants, every namespace gets a binding of its own, and the
binding for everybody goes; with the last tenant's namespace it comes back
(docs/decisions/0037-pod-security-before-1-23.md).

A binding names everybody: a controller makes pods with an account of kube-system, and whether
that may use a policy is asked in the namespace of the pod, where no other binding counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clusters.kube import Connection, NotFound
from clusters.kube.skew import minor_of
from clusters.models import Cluster, Origin
from tenancy import compare, leaving
from tenancy.consoles import console_id
from tenancy.desired import MANAGED_BY, PART, SECURITY
from tenancy.models import Namespace, PodSecurity
from tenancy.roles import RBAC
from tenancy.there import NAMESPACES

JSON = dict[str, Any]

# As provisioning.steps.pod_policies names them; tests/unit/tenancy/test_pod_security_policies.py
# holds the two together.
POLICY = "flotilla-"
ROLE = "flotilla:pod-security:"
OPEN = f"{ROLE}open"
BINDING = "flotilla:pod-security"
LABELS: Mapping[str, str] = {MANAGED_BY: "flotilla", PART: "pod-security"}
EVERYBODY = ("system:authenticated", "system:serviceaccounts")
# From here on the API server reads the level from the namespace's labels.
NEEDLESS_SINCE = 23

_POLICIES = "/apis/policy/v1beta1/podsecuritypolicies"
_RBAC = f"/apis/{RBAC}/v1"
_FOR_ALL = f"{_RBAC}/clusterrolebindings/{OPEN}"


def keep(cluster: Cluster, connection: Connection, held: Callable[[], None]) -> None:
    """One round: three or four requests where there is nothing to do, none on newer clusters.

    held() is called before each write and raises when the lease is lost. Raises KubeError.
    """
    if not _concerns(cluster):
        return
    rows = {row.name: row for row in _rows(cluster)}
    if not rows:
        if not _there(connection, _FOR_ALL) and _installed(connection):
            held()
            connection.apply(_FOR_ALL, _binding_for_all(), force=True)
        return
    if not _installed(connection):
        return
    wanted = _wanted(connection, rows)
    bound = _bound(connection)
    # Tenants' first: they are to be held from the moment on at which all others are let go on.
    for name, level in sorted(wanted.items(), key=lambda item: item[0] not in rows):
        body = _binding(name, level)
        if _content(bound.get(name, {})) != _content(body):
            held()
            _bind(connection, body, bound.get(name))
    if _there(connection, _FOR_ALL):
        held()
        connection.delete(_FOR_ALL)


def bind_new(cluster: Cluster, connection: Connection, row: Namespace) -> None:
    """Bind a namespace that was made this moment, so that its first pod need not wait.

    Raises KubeError.
    """
    if _concerns(cluster) and _installed(connection):
        _bind(connection, _binding(row.name, row.pod_security), None)


def _concerns(cluster: Cluster) -> bool:
    if cluster.origin != Origin.PROVISIONED:
        return False  # its policies are somebody else's
    try:
        return minor_of(cluster.version) < NEEDLESS_SINCE
    except ValueError:
        return False


def _rows(cluster: Cluster) -> list[Namespace]:
    return list(Namespace.objects.filter(cluster=cluster).select_related("tenant"))


def _there(connection: Connection, path: str) -> bool:
    try:
        connection.get_json(path)
    except NotFound:
        return False
    return True


def _installed(connection: Connection) -> bool:
    return _there(connection, f"{_POLICIES}/{POLICY}{PodSecurity.PRIVILEGED}")


def _wanted(connection: Connection, rows: Mapping[str, Namespace]) -> dict[str, str]:
    """The level of each namespace that stays: its row's, else its label's, else privileged."""
    found = {}
    for live in connection.listing(NAMESPACES).items:
        metadata = compare.metadata_of(live)
        name = str(metadata.get("name") or "")
        if not name or metadata.get("deletionTimestamp"):
            continue
        row = rows.get(name)
        if row is not None and _is_of(live, row):
            found[name] = row.pod_security
        else:
            label = compare.labels_of(live).get(f"{SECURITY}enforce", "")
            found[name] = label if label in PodSecurity.values else PodSecurity.PRIVILEGED.value
    return found


def _is_of(live: JSON, row: Namespace) -> bool:
    """Whether a namespace is the row's: whoever wishes for a name that is taken changes nothing."""
    return bool(row.applied_revision or row.adopted or leaving.belongs(live, row, console_id()))


def _bound(connection: Connection) -> dict[str, JSON]:
    chosen = ",".join(f"{key}={value}" for key, value in LABELS.items())
    items = connection.listing(f"{_RBAC}/rolebindings", {"labelSelector": chosen}).items
    return {
        str(compare.metadata_of(item).get("namespace")): item
        for item in items
        if compare.metadata_of(item).get("name") == BINDING
    }


def _bind(connection: Connection, body: JSON, live: JSON | None) -> None:
    path = f"{_RBAC}/namespaces/{body['metadata']['namespace']}/rolebindings/{BINDING}"
    try:
        if live is not None and live.get("roleRef") != body["roleRef"]:
            connection.delete(path)  # a roleRef cannot be changed
        connection.apply(path, body, force=True)
    except NotFound:
        return  # the namespace, or the binding, has just gone: the next round looks


def _content(item: Mapping[str, Any]) -> tuple[Any, Any]:
    return item.get("roleRef"), item.get("subjects")


def _subjects() -> list[JSON]:
    return [{"apiGroup": RBAC, "kind": "Group", "name": name} for name in EVERYBODY]


def _binding(namespace: str, level: str) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": BINDING, "namespace": namespace, "labels": dict(LABELS)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"{ROLE}{level}"},
        "subjects": _subjects(),
    }


def _binding_for_all() -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": OPEN, "labels": dict(LABELS)},
        "roleRef": {
            "apiGroup": RBAC, "kind": "ClusterRole", "name": f"{ROLE}{PodSecurity.PRIVILEGED}",
        },
        "subjects": _subjects(),
    }  # fmt: skip
