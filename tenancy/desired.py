"""What a tenant's namespace is to be on its cluster: a plain description made into manifests.

Nothing here talks to a cluster or to the database.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clusters.inventory.kinds import object_path
from clusters.pools_rules import POOL_LABEL
from tenancy.isolation import NAME_LABEL, TENANT_LABEL, policies
from tenancy.models_namespaces import Isolation, PodSecurity
from tenancy.roles import RBAC, RULES, group_name, role_name

if TYPE_CHECKING:
    from tenancy.models import Namespace

JSON = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
PART = "app.kubernetes.io/component"
LABELS: Mapping[str, str] = {MANAGED_BY: "flotilla", PART: "tenancy"}
# Which console keeps the namespace: a cluster may be known to more than one.
CONSOLE = "flotilla.dev/console"
# A digest of the object as it was applied last: what differs from the cluster's while this is
# the same was changed by hand, and not by a new wish.
WANTED = "flotilla.dev/wanted"
QUOTA, PRIORITY, DEFAULTS = "flotilla", "flotilla-priority", "flotilla"
# Of the admission plug-ins PodNodeSelector and PodTolerationRestriction ("Admission Control").
NODE_SELECTOR = "scheduler.alpha.kubernetes.io/node-selector"
TOLERATIONS = "scheduler.alpha.kubernetes.io/defaultTolerations"
TOLERABLE = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
# What controllers and the API server themselves put into pods, or nodes need in trouble.
_EVERYWHERE = tuple(
    f"node.kubernetes.io/{name}"
    for name in (
        "not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure",
        "network-unavailable", "unschedulable",
    )
)  # fmt: skip
SECURITY = "pod-security.kubernetes.io/"
# Counted by the console alone.
NOT_OF_CLUSTERS = frozenset({"namespaces"})
# Kubernetes' own, and the console's: no tenant ever gets them.
GUARDED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease", "flotilla"})
_RESERVED = ("kubernetes.io", "k8s.io", "flotilla.dev")
_PLURALS = {
    "Namespace": "namespaces",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
}


@dataclass(frozen=True)
class NamespaceSpec:
    """A namespace as it is wanted; the fields are those of tenancy.models.Namespace.

    tenant: the slug. console: of which console, "" says nothing. pool: name of the resource
    pool, "" for any node; pool_taints: what its nodes carry. dns: addresses of the cluster's
    DNS service, for `strict`.
    """

    name: str
    tenant: str
    quota: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    isolation: str = Isolation.TENANT
    exceptions: tuple[Mapping[str, Any], ...] = ()
    pod_security: str = PodSecurity.BASELINE
    pool: str = ""
    pool_taints: tuple[Mapping[str, str], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    console: str = ""


def spec_of(row: Namespace, console: str = "") -> NamespaceSpec:
    """The description of a row; its tenant, cluster and pool should be loaded with it."""
    return NamespaceSpec(
        name=row.name,
        tenant=row.tenant.slug,
        quota=row.quota,
        limits=row.limits,
        isolation=row.isolation,
        exceptions=tuple(row.exceptions),
        pod_security=row.pod_security,
        pool=row.pool.name if row.pool else "",
        pool_taints=tuple(row.pool.taints) if row.pool else (),
        labels=row.labels,
        dns=dns_addresses(row.cluster.service_cidr),
        console=console,
    )


def dns_addresses(service_cidr: str) -> tuple[str, ...]:
    """The tenth address of each service network ("10.96.0.0/16,fd00::/108"), as kubeadm takes it.

    What is no network (that of an imported cluster is not known) gives none.
    """
    found = []
    for part in service_cidr.split(","):
        try:
            found.append(str(ipaddress.ip_network(part.strip())[10]))
        except (ValueError, IndexError):
            continue
    return tuple(found)


def manifests(spec: NamespaceSpec) -> list[JSON]:
    """All objects of a namespace, itself first, each with the digest of what is wanted of it."""
    found = [namespace(spec), *quotas(spec), *defaults(spec), *policies(spec), *bindings(spec)]
    return [_marked(body) for body in found]


def namespace(spec: NamespaceSpec) -> JSON:
    """The Namespace itself: the owner's labels, and over them the console's."""
    annotations: JSON = {CONSOLE: spec.console} if spec.console else {}
    labels = {k: v for k, v in spec.labels.items() if not reserved(k)}
    labels |= {TENANT_LABEL: spec.tenant, NAME_LABEL: spec.name}
    labels |= {f"{SECURITY}{mode}": spec.pod_security for mode in ("enforce", "warn", "audit")}
    if spec.pool:
        labels[POOL_LABEL] = spec.pool
        annotations[NODE_SELECTOR] = f"{POOL_LABEL}={spec.pool}"
        if spec.pool_taints:
            annotations[TOLERATIONS] = json.dumps([toleration(t) for t in spec.pool_taints])
        annotations[TOLERABLE] = json.dumps(_tolerable(spec.pool_taints))
    metadata = {"name": spec.name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def quotas(spec: NamespaceSpec) -> list[JSON]:
    """The ResourceQuota where anything is limited, and one that keeps priorities from tenants.

    A pod of the system's own priority pushes those of everybody else from the nodes.
    """
    hard = {k: v for k, v in sorted(spec.quota.items()) if k not in NOT_OF_CLUSTERS}
    system = {
        "scopeName": "PriorityClass",
        "operator": "In",
        "values": ["system-cluster-critical", "system-node-critical"],
    }
    guard = {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [system]}}
    found = [_object(spec, "v1", "ResourceQuota", PRIORITY, spec=guard)]
    if hard:
        found.insert(0, _object(spec, "v1", "ResourceQuota", QUOTA, spec={"hard": hard}))
    return found


def defaults(spec: NamespaceSpec) -> list[JSON]:
    """The LimitRange: what a container gets that says nothing; none where nothing is set."""
    item: JSON = {"type": "Container"}
    for resource, values in sorted(spec.limits.items()):
        limit, request = values.get("limit"), values.get("request")
        if limit:
            item.setdefault("default", {})[resource] = limit
        # The API server takes the limit where no request is named.
        if request or limit:
            item.setdefault("defaultRequest", {})[resource] = request or limit
    if len(item) == 1:
        return []
    return [_object(spec, "v1", "LimitRange", DEFAULTS, spec={"limits": [item]})]


def bindings(spec: NamespaceSpec) -> list[JSON]:
    """One RoleBinding for each role of the tenant's people."""
    return [
        _object(
            spec, f"{RBAC}/v1", "RoleBinding", role_name(role),
            roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": role_name(role)},
            subjects=[{"apiGroup": RBAC, "kind": "Group", "name": group_name(spec.tenant, role)}],
        )
        for role in RULES
    ]  # fmt: skip


def path_of(body: JSON) -> str:
    """An object's path in the API."""
    metadata = body["metadata"]
    plural = _PLURALS[body["kind"]]
    return object_path(body["apiVersion"], plural, metadata.get("namespace", ""), metadata["name"])


def reserved(key: str) -> bool:
    """Whether a label's key is Kubernetes' or the console's, which owners may not set."""
    prefix = key.rpartition("/")[0]
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in _RESERVED)


def guarded(name: str) -> bool:
    """Whether a namespace of this name is Kubernetes' or the console's own."""
    return name in GUARDED or name.startswith("kube-")


def toleration(taint: Mapping[str, str]) -> JSON:
    """What lets a pod onto nodes with a taint of a pool."""
    value = taint.get("value", "")
    return {"key": taint["key"], "operator": "Equal", "value": value, "effect": taint["effect"]}


def _tolerable(taints: tuple[Mapping[str, str], ...]) -> list[JSON]:
    """What pods of the pool may tolerate: its own taints, and those that nodes get in trouble."""
    own = [toleration(taint) for taint in taints]
    return [*own, *({"key": key, "operator": "Exists"} for key in _EVERYWHERE)]


def _object(of: NamespaceSpec, version: str, kind: str, name: str, **content: Any) -> JSON:
    metadata = {"name": name, "namespace": of.name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _marked(body: JSON) -> JSON:
    metadata = dict(body["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), **LABELS}
    found = {**body, "metadata": metadata}
    text = json.dumps(found, sort_keys=True)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    metadata["annotations"] = {**metadata.get("annotations", {}), WANTED: mark}
    return found
