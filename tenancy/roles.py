"""What a tenant's people may do inside their namespaces: ClusterRoles, bound in each of these.

As those of clusters.access they list every resource by name, and they are bound by RoleBindings
alone: nothing outside of the namespace. None holds `escalate`, `bind`, `impersonate`, a write to
namespaces, quotas, limit ranges, network policies, roles, endpoints or webhooks, a proxy, or
token creation ("Role Based Access Control Good Practices"). Whoever may make pods may read the
namespace's secrets by one, so developers read them openly.
"""

from __future__ import annotations

import json
from typing import Any

from clusters.kube import Connection
from tenancy.permissions import TENANT_GROUP

JSON = dict[str, Any]
Rule = tuple[str, tuple[str, ...], tuple[str, ...]]  # group, resources, verbs

RBAC = "rbac.authorization.k8s.io"
ROLES = f"/apis/{RBAC}/v1/clusterroles"
LABELS = {"app.kubernetes.io/managed-by": "flotilla", "app.kubernetes.io/component": "tenancy"}
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")

_LOOK: tuple[Rule, ...] = (
    (
        "",
        (
            "configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods",
            "pods/status", "podtemplates", "replicationcontrollers", "resourcequotas",
            "serviceaccounts", "services",
        ),
        READ,
    ),
    ("", ("namespaces",), ("get",)),  # its own alone, by the RoleBinding
    ("", ("pods/log",), ("get",)),
    ("apps", ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets",
              "deployments/scale", "replicasets/scale", "statefulsets/scale"), READ),
    ("batch", ("cronjobs", "jobs"), READ),
    ("autoscaling", ("horizontalpodautoscalers",), READ),
    ("policy", ("poddisruptionbudgets",), READ),
    ("networking.k8s.io", ("ingresses", "networkpolicies"), READ),
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("events.k8s.io", ("events",), READ),
    ("metrics.k8s.io", ("pods",), READ),
    (RBAC, ("rolebindings", "roles"), READ),
)  # fmt: skip

_WORK: tuple[Rule, ...] = (
    (
        "",
        ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "services"),
        WRITE,
    ),
    ("", ("secrets",), (*READ, *WRITE)),
    ("", ("pods/exec", "pods/attach", "pods/portforward"), ("create", "get")),
    ("", ("pods/eviction",), ("create",)),
    ("apps", ("daemonsets", "deployments", "replicasets", "statefulsets"), WRITE),
    (
        "apps",
        ("deployments/scale", "replicasets/scale", "statefulsets/scale"),
        ("update", "patch"),
    ),
    ("batch", ("cronjobs", "jobs"), WRITE),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("policy", ("poddisruptionbudgets",), WRITE),
    ("networking.k8s.io", ("ingresses",), WRITE),
)

_RUN: tuple[Rule, ...] = (("", ("serviceaccounts",), WRITE),)

RULES: dict[str, tuple[Rule, ...]] = {
    "viewer": _LOOK,
    "developer": (*_LOOK, *_WORK),
    "admin": (*_LOOK, *_WORK, *_RUN),
    "owner": (*_LOOK, *_WORK, *_RUN),
}


def role_name(role: str) -> str:
    """The name of a role's ClusterRole, and of its RoleBinding in each namespace."""
    return f"{TENANT_GROUP}{role}"


def group_name(tenant: str, role: str) -> str:
    """The group in which a tenant's people of a role act; tenant is the slug."""
    return f"{TENANT_GROUP}{tenant}:{role}"


def manifests() -> list[JSON]:
    """The ClusterRoles that each cluster with tenants is to have."""
    return [
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role_name(role), "labels": dict(LABELS)},
            "rules": [
                {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
                for group, resources, verbs in rules
            ],
        }
        for role, rules in RULES.items()
    ]


def different(connection: Connection) -> list[JSON]:
    """The ClusterRoles that the cluster has not, or not so; one list. Raises KubeError.

    An aggregationRule, by which others could add to a role, is a difference too.
    """
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in LABELS.items())}
    there = {
        str((item.get("metadata") or {}).get("name")): item
        for item in connection.listing(ROLES, query).items
    }
    return [
        body
        for body in manifests()
        if _content(there.get(body["metadata"]["name"], {})) != _content(body)
    ]


def _content(item: JSON) -> str:
    return json.dumps([item.get("rules"), item.get("aggregationRule")], sort_keys=True)
