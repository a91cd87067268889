"""What each platform role may do inside clusters, as rules of Kubernetes' RBAC.

They list every resource by name: RBAC only adds, so a wildcard of the core group
would carry secrets, logs and proxies with it. None holds `escalate`, `bind`,
`impersonate`, node proxy or token creation, and none but the admin's reads
secrets ("Role Based Access Control Good Practices").
"""

from __future__ import annotations

from console.accounts.models import Role

RBAC = "rbac.authorization.k8s.io"
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete", "deletecollection")

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
# On the cluster that the console itself runs on, whoever may change anything reaches its keys.
_BESIDE_THE_CONSOLE: dict[str, tuple[Rule, ...]] = {
    Role.OPERATOR: _READABLE,
    Role.AUDITOR: _READABLE,
}
LOGS: tuple[Rule, ...] = (("", ("pods/log",), ("get",)),)


def rules_of(*, hosts_console: bool) -> dict[str, tuple[Rule, ...]]:
    """By role, those of every role but the admin's; hosts_console: on the console's own cluster."""
    return _BESIDE_THE_CONSOLE if hosts_console else _RULES


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
