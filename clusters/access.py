"""What people may do inside each cluster: the roles of the groups that the console acts in.

The console calls a cluster in a person's name (`clusters.rights.acting`), in one
of the groups flotilla:platform:<role>. The cluster's own RBAC decides, by the
roles of `clusters.access_roles`, which this module keeps on every cluster. On the
cluster of the console itself they are narrower: operators look, and read logs in
every namespace but the console's (docs/decisions/0029-guarded-namespaces.md).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from django.utils.translation import gettext as _

from clusters.access_roles import LOGS, RBAC, Rule, rules_of
from clusters.kube import (
    AccessRefused,
    Connection,
    CredentialsMissing,
    Forbidden,
    Impersonation,
    KubeError,
)
from clusters.kube.acting import Acting
from clusters.models import Cluster
from clusters.rights import PLATFORM_GROUP
from console.accounts.models import Role

JSON = dict[str, Any]

ROLES = f"/apis/{RBAC}/v1/clusterroles"
BINDINGS = f"/apis/{RBAC}/v1/clusterrolebindings"
IN_NAMESPACES = f"/apis/{RBAC}/v1/rolebindings"
MANAGED_BY = "app.kubernetes.io/managed-by"
PART = "app.kubernetes.io/component"
LABELS = {MANAGED_BY: "flotilla", PART: "access"}
# The authorizer hears of a new role by a watch: it takes a moment.
PROBES, PROBE_PAUSE = 5, 0.3

# Logs on the console's own cluster: a role of their own, bound namespace by namespace.
LOGS_ROLE = f"{PLATFORM_GROUP}{Role.OPERATOR}:logs"

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


def manifests(cluster: Cluster, namespaces: Iterable[str] = ()) -> list[JSON]:
    """The roles and bindings that a cluster is to have, as the API takes them.

    namespaces: all that the cluster has; of account only where the console itself runs on it.
    """
    rules = rules_of(hosts_console=cluster.hosts_console)
    found = [_role(_name(role), of) for role, of in rules.items()]
    found.append(_binding(Role.ADMIN, "cluster-admin"))
    found += [_binding(role, _name(role)) for role in rules]
    if cluster.hosts_console:
        found.append(_role(LOGS_ROLE, LOGS))
        found += [_logs_binding(name) for name in sorted(_with_logs(cluster, namespaces))]
    return found


def _with_logs(cluster: Cluster, namespaces: Iterable[str]) -> set[str]:
    """Of the namespaces of the console's cluster, those whose logs operators read.

    None while nobody knows in which of them the console runs.
    """
    return set(namespaces) - {cluster.console_namespace} if cluster.console_namespace else set()


class Ensured(NamedTuple):
    """What `ensure` wrote ("clusterroles/flotilla:platform:operator"), and why it ended early.

    works: whether the cluster then allowed the console to act for an operator.
    """

    changed: tuple[str, ...] = ()
    works: bool = False
    error: KubeError | None = None


def ensure(connection: Connection, cluster: Cluster) -> Ensured:
    """Bring the roles on a cluster to what `manifests` says, and try whether they work.

    Two lists (four on the console's own cluster) and one question when nothing differs; what
    differs, also by somebody's hand, is applied as `flotilla`, the roles of the whole cluster
    before the bindings in namespaces. The question is put in an
    operator's name: it also answers for roles that somebody else put there.
    """
    changed: list[str] = []
    error: KubeError | None = None
    try:
        for path, body in _different(connection, cluster):
            if body is None:
                connection.delete(path)
            else:
                connection.apply(path, body, force=True)
            changed.append(path.split("/v1/")[1].replace("%3A", ":"))
    except KubeError as caught:
        error = caught
    try:
        works = _works(connection, cluster, patiently=bool(changed))
    except KubeError as caught:
        return Ensured(tuple(changed), False, error or caught)
    return Ensured(tuple(changed), works, error)


def keep(cluster: Cluster, connection: Connection) -> Ensured:
    """`ensure`, and the cluster's row says how it went. For the watcher, every ten minutes."""
    ensured = ensure(connection, cluster)
    access = judged(ensured)
    if access is not None and access != cluster.access:
        Cluster.objects.filter(pk=cluster.pk).update(access=access)
        cluster.access = access
    return ensured


def judged(ensured: Ensured) -> JSON | None:
    """{"state", "reason"} for the cluster's row; None where nothing was learned (it was away)."""
    if ensured.works:
        return {"state": OK, "reason": ""}
    if ensured.error is None:
        return {"state": REFUSED, "reason": "The roles are there and allow nothing."}
    if isinstance(ensured.error, (AccessRefused, CredentialsMissing)):
        return {"state": REFUSED, "reason": str(ensured.error)}
    return None


def problem(cluster: Cluster) -> str:
    """Why people's actions are not possible on a cluster, empty when they are (or may be)."""
    access = cluster.access if isinstance(cluster.access, dict) else {}
    if access.get("state") != REFUSED:
        return ""
    return str(access.get("reason") or "") or _("The cluster refuses to let the console act.")


def _different(connection: Connection, cluster: Cluster) -> Iterator[tuple[str, JSON | None]]:
    """Path and manifest of what the cluster has not, or not so; None for what is to go.

    What is listed is listed when it is come to: a console that may not list bindings in
    namespaces still keeps the roles of the whole cluster.
    """
    there = {**_there(connection, ROLES), **_there(connection, BINDINGS)}
    for body in manifests(cluster):
        yield from _put_right(connection, there, body)
    if not cluster.hosts_console:
        return
    bound = _there(connection, IN_NAMESPACES)
    wanted = [_logs_binding(name) for name in sorted(_with_logs(cluster, _alive(connection)))]
    for body in wanted:
        yield from _put_right(connection, bound, body)
    for path in sorted(bound.keys() - {path_of(body) for body in wanted}):
        if path.endswith(f"/{quote(LOGS_ROLE, safe='')}"):
            yield path, None


def _put_right(
    connection: Connection, there: Mapping[str, JSON], body: JSON
) -> Iterator[tuple[str, JSON]]:
    path = path_of(body)
    live = there.get(path)
    if live is not None and _content(live) == _content(body):
        return
    if live is not None and live.get("roleRef") != body.get("roleRef"):
        connection.delete(path)  # a roleRef cannot be changed
    yield path, body


def _there(connection: Connection, collection: str) -> dict[str, JSON]:
    """What this console keeps in a collection, by path."""
    query = {"labelSelector": f"{MANAGED_BY}=flotilla,{PART}=access"}
    items = connection.listing(collection, query).items
    return {path_of(item, collection): item for item in items}


def _alive(connection: Connection) -> set[str]:
    """The namespaces that are not about to end: those take nothing new."""
    return {
        item["metadata"]["name"]
        for item in connection.listing("/api/v1/namespaces").items
        if (item.get("status") or {}).get("phase") != "Terminating"
    }


def path_of(body: JSON, collection: str = "") -> str:
    """The path of a role or binding; collection: of one out of a list, which names no kind."""
    metadata = body["metadata"]
    own = quote(metadata["name"], safe="")
    if namespace := metadata.get("namespace"):
        return f"/apis/{RBAC}/v1/namespaces/{quote(namespace, safe='')}/rolebindings/{own}"
    return f"{collection or (ROLES if body['kind'] == 'ClusterRole' else BINDINGS)}/{own}"


def _content(item: JSON) -> str:
    """What decides about rights, in a form that can be compared."""
    return json.dumps([item.get(k) for k in ("rules", "roleRef", "subjects")], sort_keys=True)


def _works(connection: Connection, cluster: Cluster, *, patiently: bool) -> bool:
    """Whether an operator may do there what operators do."""
    asks = {"verb": "patch", "group": "apps", "resource": "deployments"}
    if cluster.hosts_console:
        asks = {"verb": "list", "resource": "pods"}
    who = Impersonation("flotilla:probe", (f"{PLATFORM_GROUP}{Role.OPERATOR}",))
    probe = Acting(connection, who)
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asks},
    }
    for left in range(PROBES if patiently else 1, 0, -1):
        try:
            answer = probe.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
        except Forbidden as error:
            raise _may_not_act(connection, error) from error
        if (answer.get("status") or {}).get("allowed"):
            return True
        if left > 1:
            time.sleep(PROBE_PAUSE)
    return False


def _may_not_act(connection: Connection, error: Forbidden) -> Forbidden:
    found = Forbidden(
        f"{connection.endpoint} does not let the console act for people (impersonate).",
        "Give the console's credentials the verb impersonate on users and groups.",
    )
    found.status = error.status
    return found


def _name(role: str) -> str:
    return f"{PLATFORM_GROUP}{role}"


def _role(name: str, rules: tuple[Rule, ...]) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": dict(LABELS)},
        "rules": [
            {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
            for group, resources, verbs in rules
        ],
    }


def _logs_binding(namespace: str) -> JSON:
    return {
        **_binding(Role.OPERATOR, LOGS_ROLE),
        "kind": "RoleBinding",
        "metadata": {"name": LOGS_ROLE, "namespace": namespace, "labels": dict(LABELS)},
    }


def _binding(role: str, bound: str) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _name(role), "labels": dict(LABELS)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": bound},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": _name(role)}],
    }
