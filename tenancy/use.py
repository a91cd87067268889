"""What namespaces use now, counted as their ResourceQuotas count it, from the inventory.

The inventory keeps no ResourceQuota, so nothing here is the `status.used` of one: it is
reckoned from the rows of pods, claims, services and other objects. What those do not say
(ephemeral storage, a kind that is not watched) is left out, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, FloatField, Q, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from clusters.models import Cluster, Object
from clusters.quantities import exact
from tenancy.amounts import RESOURCES, Amounts
from tenancy.models import Namespace

Key = tuple[int, str]  # cluster, namespace

PODS, CLAIMS, SERVICES = "pods", "persistentvolumeclaims", "services"
# Those that have ended count for no quota of pods ("Resource Quotas").
RUNNING = Q(summary__phase__isnull=True) | ~Q(summary__phase__in=("Succeeded", "Failed"))
_POD_SUMS = {
    "requests.cpu": ("cpu_request", 1000),
    "limits.cpu": ("cpu_limit", 1000),
    "requests.memory": ("memory_request", 1),
    "limits.memory": ("memory_limit", 1),
}
_GPUS = {key: key.removeprefix("requests.") for key in RESOURCES if key.endswith("/gpu")}
_COUNTED = {
    key: key.removeprefix("count/")
    for key in RESOURCES
    if key.startswith("count/") or key in (PODS, CLAIMS, SERVICES)
}
# Which kind has to be watched for an amount to be known.
_SOURCES: Mapping[str, str] = {
    **_COUNTED,
    **dict.fromkeys((*_POD_SUMS, *_GPUS), PODS),
    "requests.storage": CLAIMS,
    "services.loadbalancers": SERVICES,
    "services.nodeports": SERVICES,
}


def used(namespaces: Iterable[Namespace]) -> dict[int, Amounts]:
    """{namespace's key: {resource: amount}}, in two queries however many they are.

    The namespaces come with their clusters (select_related). A resource that is not there
    is not known.
    """
    listed = list(namespaces)
    if not listed:
        return {}
    clusters = {one.cluster_id: one.cluster for one in listed}
    unseen = {pk: _unknown(cluster) for pk, cluster in clusters.items()}
    wanted: dict[Key, Amounts] = {(one.cluster_id, one.name): {} for one in listed}
    rows = Object.objects.order_by().filter(
        cluster__in=clusters, namespace__in={name for _cluster, name in wanted}
    )
    gpus = any(_has_gpu(one) for one in listed)
    for key, amounts in _reckoned(rows, gpus).items():
        if key in wanted:
            wanted[key] = amounts
    return {
        one.pk: {
            key: wanted[one.cluster_id, one.name].get(key, 0)
            for key, source in _SOURCES.items()
            if source not in unseen[one.cluster_id] and (gpus or key not in _GPUS)
        }
        for one in listed
    }


def _has_gpu(namespace: Namespace) -> bool:
    return any(key in namespace.quota for key in _GPUS)


def _unknown(cluster: Cluster) -> set[str]:
    """The kinds of which a cluster has said nothing."""
    kinds = set(_SOURCES.values())
    return kinds if cluster.seen is None else kinds & set(cluster.not_watched)


def _reckoned(rows: Any, gpus: bool) -> dict[Key, Amounts]:
    found: dict[Key, Amounts] = {}

    def add(row: Mapping[str, Any], key: str, amount: int) -> None:
        amounts = found.setdefault((row["cluster_id"], row["namespace"]), {})
        amounts[key] = amounts.get(key, 0) + amount

    keys = {resource: key for key, resource in _COUNTED.items()}
    counted = rows.filter(~Q(resource=PODS) | RUNNING, resource__in=keys)
    sums = {
        key.replace(".", "_"): Sum(
            Cast(KT(f"summary__{field}"), FloatField()), filter=Q(resource=PODS)
        )
        for key, (field, _factor) in _POD_SUMS.items()
    }
    groups = counted.values("cluster_id", "namespace", "resource")
    for row in groups.annotate(n=Count("pk"), **sums):
        add(row, keys[row["resource"]], row["n"])
        if row["resource"] == PODS:
            for key, (_field, factor) in _POD_SUMS.items():
                add(row, key, _whole(row[key.replace(".", "_")], factor))
    summed_here = Q(resource__in=(CLAIMS, SERVICES))
    if gpus:
        summed_here |= Q(resource=PODS) & RUNNING
    for row in rows.filter(summed_here).values("cluster_id", "namespace", "resource", "summary"):
        for key, amount in _of(row["resource"], row["summary"]).items():
            add(row, key, amount)
    return found


def _of(resource: str, summary: Mapping[str, Any]) -> Amounts:
    """What of a row no query sums up."""
    if resource == CLAIMS:
        return of_claim(summary)
    if resource == SERVICES:
        return of_service(summary)
    return {key: requested_by(summary, name) for key, name in _GPUS.items()}


def of_claim(summary: Mapping[str, Any]) -> Amounts:
    """What a claim's row counts for, besides being one."""
    return {"requests.storage": math.ceil(exact(summary.get("requested")) or 0)}


def of_service(summary: Mapping[str, Any]) -> Amounts:
    """What a service's row counts for, besides being one."""
    # "80:30080/TCP → 8080" takes a port of every node.
    ports = [str(port).partition("/")[0] for port in summary.get("ports") or ()]
    return {
        "services.loadbalancers": int(summary.get("type") == "LoadBalancer"),
        "services.nodeports": sum(":" in port for port in ports),
    }


def of_pod(summary: Mapping[str, Any]) -> Amounts:
    """What a pod's row counts for."""
    found = {key: _whole(summary.get(field), factor) for key, (field, factor) in _POD_SUMS.items()}
    return found | {PODS: 1} | {key: requested_by(summary, name) for key, name in _GPUS.items()}


def _whole(amount: Any, factor: int) -> int:
    # The rows have six places: what is beyond them comes from adding floats.
    return math.ceil(round((amount or 0.0) * factor, 3))


def requested_by(summary: Mapping[str, Any], name: str) -> int:
    """How much of a resource a pod's row asks for ("nvidia.com/gpu"); init containers in turn."""
    own = most = 0
    for container in summary.get("containers") or ():
        amount = math.ceil(exact((container.get("requests") or {}).get(name)) or 0)
        if container.get("init"):
            most = max(most, amount)
        else:
            own += amount
    return max(own, most)
