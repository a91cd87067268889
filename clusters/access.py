"""What people may do inside each cluster: the roles of the groups that the console acts in.

The console calls a cluster in a person's name (`clusters.rights.acting`), in one
of the groups flotilla:platform:<role>. The cluster's own RBAC decides, by the
roles below. They list every resource by name: RBAC only adds, so a wildcard of
the core group would carry secrets, logs and proxies with it. None holds
`escalate`, `bind`, `impersonate`, node proxy or token creation, and none but
the admin's reads secrets ("Role Based Access Control Good Practices").
"""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple
from urllib.parse import quote

from django.utils.translation import gettext as _

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

RBAC = "rbac.authorization.k8s.io"
ROLES = f"/apis/{RBAC}/v1/clusterroles"
BINDINGS = f"/apis/{RBAC}/v1/clusterrolebindings"
MANAGED_BY = "app.kubernetes.io/managed-by"
PART = "app.kubernetes.io/component"
LABELS = {MANAGED_BY: "flotilla", PART: "access"}
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete", "deletecollection")
# The authorizer hears of a new role by a watch: it takes a moment.
PROBES, PROBE_PAUSE = 5, 0.3

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"

Rule = tuple[str, tuple[str, ...], tuple[str, ...]]  # group, resources, verbs

_READABLE: tuple[Rule, ...] = (
    (
        "",
        (
            "configmaps", "endpoints", "events", "limitranges", "namespaces", "nodes",
            "persistentvolumeclaims", "persistentvolumes", "pods", "pods/status", "podtemplates",
            "replicationcontrollers", "resourcequotas", "serviceaccounts", "services",
        ),
        READ,
    ),
    ("apps", ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets",
              "deployments/scale", "replicasets/scale", "statefulsets/scale"), READ),
    ("batch", ("cronjobs", "jobs"), READ),
    ("autoscaling", ("horizontalpodautoscalers",), READ),
    ("policy", ("poddisruptionbudgets",), READ),
    ("networking.k8s.io", ("ingressclasses", "ingresses", "networkpolicies"), READ),
    ("storage.k8s.io", ("csidrivers", "csinodes", "storageclasses", "volumeattachments"), READ),
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("events.k8s.io", ("events",), READ),
    ("coordination.k8s.io", ("leases",), READ),
    ("scheduling.k8s.io", ("priorityclasses",), READ),
    ("metrics.k8s.io", ("nodes", "pods"), READ),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), READ),
    ("apiregistration.k8s.io", ("apiservices",), READ),
    (RBAC, ("clusterrolebindings", "clusterroles", "rolebindings", "roles"), READ),
)  # fmt: skip

_OPERATED: tuple[Rule, ...] = (
    (
        "",
        ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "services"),
        WRITE,
    ),
    ("", ("nodes",), ("patch", "update")),  # cordon, labels, taints
    ("", ("pods/log",), ("get",)),
    ("", ("pods/exec",), ("create", "get")),  # get: over a websocket
    ("", ("pods/eviction",), ("create",)),
    ("apps", ("daemonsets", "deployments", "replicasets", "statefulsets"), WRITE),
    (
        "apps",
        ("deployments/scale", "replicasets/scale", "statefulsets/scale"),
        ("get", "update", "patch"),
    ),
    ("batch", ("cronjobs", "jobs"), WRITE),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("policy", ("poddisruptionbudgets",), WRITE),
    ("networking.k8s.io", ("ingresses", "networkpolicies"), WRITE),
)

_RULES: dict[str, tuple[Rule, ...]] = {
    Role.OPERATOR: (*_READABLE, *_OPERATED),
    Role.AUDITOR: _READABLE,
}


def manifests() -> list[JSON]:
    """The roles and bindings that each cluster is to have, as the API takes them."""
    found = [_role(role, rules) for role, rules in _RULES.items()]
    found.append(_binding(Role.ADMIN, "cluster-admin"))
    found += [_binding(role, _name(role)) for role in _RULES]
    return found


def grants(role: str, verb: str, resource: str) -> bool:
    """Whether a platform role may do a verb to a resource ("deployments.apps", "pods/exec").

    By the roles above alone: the cluster itself has the last word.
    """
    if role == Role.ADMIN:
        return True
    plural, _dot, group = resource.partition(".")
    return any(
        group == of and plural in plurals and verb in verbs
        for of, plurals, verbs in _RULES.get(role, ())
    )


class Ensured(NamedTuple):
    """What `ensure` wrote ("clusterroles/flotilla:platform:operator"), and why it ended early.

    works: whether the cluster then allowed the console to act for an operator.
    """

    changed: tuple[str, ...] = ()
    works: bool = False
    error: KubeError | None = None


def ensure(connection: Connection) -> Ensured:
    """Bring the roles on a cluster to what `manifests` says, and try whether they work.

    Two lists and one question when nothing differs; what differs, also by
    somebody's hand, is applied as `flotilla`. The question is put in an
    operator's name: it also answers for roles that somebody else put there.
    """
    changed: list[str] = []
    error: KubeError | None = None
    try:
        for path, body in _different(connection):
            connection.apply(path, body, force=True)
            changed.append(path.split("/v1/")[1].replace("%3A", ":"))
    except KubeError as caught:
        error = caught
    try:
        works = _works(connection, patiently=bool(changed))
    except KubeError as caught:
        return Ensured(tuple(changed), False, error or caught)
    return Ensured(tuple(changed), works, error)


def keep(cluster: Cluster, connection: Connection) -> Ensured:
    """`ensure`, and the cluster's row says how it went. For the watcher, every ten minutes."""
    ensured = ensure(connection)
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


def _different(connection: Connection) -> list[tuple[str, JSON]]:
    """Path and manifest of each object that the cluster has not, or not so."""
    query = {"labelSelector": f"{MANAGED_BY}=flotilla,{PART}=access"}
    there = {
        path: {item["metadata"]["name"]: item for item in connection.listing(path, query).items}
        for path in (ROLES, BINDINGS)
    }
    wrong = []
    for body in manifests():
        path = ROLES if body["kind"] == "ClusterRole" else BINDINGS
        name = body["metadata"]["name"]
        live, own = there[path].get(name), f"{path}/{quote(name, safe='')}"
        if live is not None and _content(live) == _content(body):
            continue
        if live is not None and live.get("roleRef") != body.get("roleRef"):
            connection.delete(own)  # a roleRef cannot be changed
        wrong.append((own, body))
    return wrong


def _content(item: JSON) -> str:
    """What decides about rights, in a form that can be compared."""
    return json.dumps([item.get(k) for k in ("rules", "roleRef", "subjects")], sort_keys=True)


def _works(connection: Connection, *, patiently: bool) -> bool:
    who = Impersonation("flotilla:probe", (f"{PLATFORM_GROUP}{Role.OPERATOR}",))
    probe = Acting(connection, who)
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {
            "resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments"}
        },
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


def _role(role: str, rules: tuple[Rule, ...]) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _name(role), "labels": dict(LABELS)},
        "rules": [
            {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
            for group, resources, verbs in rules
        ],
    }


def _binding(role: str, bound: str) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _name(role), "labels": dict(LABELS)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": bound},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": _name(role)}],
    }
