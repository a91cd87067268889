"""Sums over a cluster's rows: computed after batches, read by the overview and by lists."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, FloatField, Q, QuerySet, Sum, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from clusters.inventory.kinds import WORKLOADS
from clusters.models import Cluster, ClusterFigures, Health, Object

ENDED = ("Succeeded", "Failed")
ACTIVE = ~Q(phase__in=ENDED)
# What no node has taken holds nothing of what nodes offer, however much it asks for.
PLACED = ACTIVE & ~Q(node="")


def refresh(cluster: Cluster) -> ClusterFigures:
    """Compute a cluster's figures from its rows and keep them; five queries, whatever its size.

    Call it after batches were written, not more often than each few seconds.
    """
    values = {
        **_pods(_rows(cluster, "pods")),
        **_nodes(_rows(cluster, "nodes")),
        **Object.objects.filter(cluster=cluster, resource__in=WORKLOADS)
        .order_by()
        .aggregate(
            workloads=Count("pk"), workloads_failing=Count("pk", filter=Q(health=Health.BAD))
        ),
        "namespaces": _rows(cluster, "namespaces").count(),
        "updated": timezone.now(),
    }
    figures, _made = ClusterFigures.objects.update_or_create(cluster=cluster, defaults=values)
    return figures


def _rows(cluster: Cluster, resource: str) -> QuerySet[Object]:
    return Object.objects.filter(cluster=cluster, resource=resource).order_by()


def _figure(key: str, only: Q | None = None) -> Any:
    number = Cast(KeyTextTransform(key, F("summary")), FloatField())
    return Coalesce(Sum(number, filter=only), 0.0)


def _pods(pods: QuerySet[Object]) -> dict[str, Any]:
    # A pod that has ended holds nothing any more, as `kubectl describe node` counts.
    return pods.annotate(
        phase=Coalesce(KeyTextTransform("phase", F("summary")), "status", output_field=TextField())
    ).aggregate(
        pods=Count("pk"),
        pods_active=Count("pk", filter=ACTIVE),
        pods_pending=Count("pk", filter=Q(phase="Pending")),
        pods_failing=Count("pk", filter=Q(health=Health.BAD)),
        pods_doubtful=Count("pk", filter=Q(health=Health.WARN)),
        cpu_request=_figure("cpu_request", PLACED),
        cpu_limit=_figure("cpu_limit", PLACED),
        memory_request=_figure("memory_request", PLACED),
        memory_limit=_figure("memory_limit", PLACED),
    )


def _nodes(nodes: QuerySet[Object]) -> dict[str, Any]:
    found: dict[str, Any] = nodes.aggregate(
        nodes=Count("pk"),
        nodes_failing=Count("pk", filter=Q(health=Health.BAD)),
        cpu_allocatable=_figure("cpu"),
        memory_allocatable=_figure("memory"),
        pods_allocatable=_figure("pods"),
    )
    return found
