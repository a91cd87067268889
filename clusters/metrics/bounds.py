"""What use is compared with: requests, limits and what a node can give, from the inventory."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Count, FloatField, Q, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from clusters.metrics.history import WORKLOAD, Subject
from clusters.metrics.workloads import BETWEEN
from clusters.models import Cluster, Node, Object
from clusters.models_metrics import Of
from clusters.quantities import quantity

_ENDED = ("Succeeded", "Failed")


class Bounds(NamedTuple):
    """In cores or bytes; None: there is none, or not everything in it has one (limit)."""

    request: float | None = None
    limit: float | None = None
    allocatable: float | None = None


def bounds_of(cluster: Cluster, subject: Subject) -> dict[str, Bounds]:
    """{"cpu": …, "memory": …} of a subject, as the inventory has it now. At most three queries."""
    pods = Object.objects.filter(cluster=cluster, resource="pods")
    room: dict[str, float | None] = {}
    if subject.of == Of.POD:
        pods = pods.filter(namespace=subject.namespace, name=subject.name)
    elif subject.of == Of.NAMESPACE:
        pods = pods.filter(namespace=subject.name)
    elif subject.of == WORKLOAD:
        pods = pods_of_workload(cluster, subject)
    else:
        nodes = Node.objects.filter(cluster=cluster)
        if subject.of == Of.NODE:
            pods, nodes = pods.filter(node=subject.name), nodes.filter(name=subject.name)
        room = _allocatable(nodes)
    told = _requested(pods)
    return {
        what: Bounds(told[f"{what}_request"], told[f"{what}_limit"], room.get(what))
        for what in ("cpu", "memory")
    }


def pods_of_workload(cluster: Cluster, subject: Subject) -> QuerySet[Object]:
    """The pods that a workload has now: its own, and those of its ReplicaSets or Jobs."""
    rows = Object.objects.filter(cluster=cluster, namespace=subject.namespace)
    pods = rows.filter(resource="pods")
    between = rows.filter(
        resource__in=BETWEEN.values(), owner_kind=subject.kind, owner_name=subject.name
    )
    return pods.filter(
        Q(owner_kind=subject.kind, owner_name=subject.name)
        | Q(owner_uid__in=between.exclude(uid="").values("uid"))
    )


def _requested(pods: QuerySet[Object]) -> dict[str, float | None]:
    """Sums over the pods that hold resources; a limit only where every pod has one."""
    sums: dict[str, Any] = {"pods": Count("pk")}
    for name in ("cpu_request", "cpu_limit", "memory_request", "memory_limit"):
        value = Cast(KT(f"summary__{name}"), FloatField())
        sums |= {name: Sum(value), f"{name}_of": Count(KT(f"summary__{name}"))}
    # A row without a phase is one of NULL, which is neither in a list nor out of it.
    running = Q(summary__phase__isnull=True) | ~Q(summary__phase__in=_ENDED)
    told = pods.filter(running).aggregate(**sums)
    for name in ("cpu_limit", "memory_limit"):
        if told[f"{name}_of"] != told["pods"]:
            told[name] = None
    return told


def _allocatable(nodes: QuerySet[Node]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for allocatable in nodes.values_list("allocatable", flat=True):
        for what in ("cpu", "memory"):
            room = quantity(allocatable.get(what))
            if room is not None:
                found[what] = (found.get(what) or 0.0) + room
    return found
