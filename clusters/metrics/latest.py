"""The newest figures, for lists and overviews: a fixed number of queries however many rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q
from django.utils import timezone

from clusters.kube.metrics_api import Use
from clusters.metrics.packing import unpack
from clusters.metrics.timing import FRESH_SECONDS
from clusters.models import Cluster, Object
from clusters.models_metrics import MetricFrame, MetricSeries, MetricState, Of, Tier

Key = tuple[str, str, str]  # of, namespace, name
OF_RESOURCE = {"pods": Of.POD, "nodes": Of.NODE, "namespaces": Of.NAMESPACE}


@dataclass(frozen=True)
class Totals:
    """What a whole cluster uses. at: when; fresh: whether that is now."""

    use: Use
    at: datetime
    source: str
    fresh: bool


def latest(cluster: Cluster, of: Iterable[str] = (Of.POD, Of.NODE)) -> dict[Key, Use]:
    """{(of, namespace, name): its use} of a cluster, in three queries; {} when figures are old."""
    found = latest_everywhere((cluster.pk,), of)
    return {(kind, ns, name): use for (_c, kind, ns, name), use in found.items()}


def latest_everywhere(
    clusters: Iterable[int], of: Iterable[str]
) -> dict[tuple[int, str, str, str], Use]:
    """{(cluster, of, namespace, name): its use} of several clusters, in three queries."""
    newest = _newest(clusters)
    rows = MetricSeries.objects.filter(cluster_id__in=newest, of__in=list(of))
    return _uses(newest, rows)


def latest_of(objects: Iterable[Object]) -> dict[int, Use]:
    """{row's key: its use} of the pods, nodes and namespaces of one page; three queries.

    The objects may lie in several clusters. Those without fresh figures are left out.
    """
    wanted = {
        (row.cluster_id, str(OF_RESOURCE[row.resource]), row.namespace, row.name): row.pk
        for row in objects
        if row.resource in OF_RESOURCE
    }
    if not wanted:
        return {}
    newest = _newest({key[0] for key in wanted})
    rows = MetricSeries.objects.filter(
        cluster_id__in=newest, name__in={key[3] for key in wanted}, of__in={k[1] for k in wanted}
    )
    uses = _uses(newest, rows)
    return {pk: uses[key] for key, pk in wanted.items() if key in uses}


def totals(clusters: Iterable[int] | None = None) -> dict[int, Totals]:
    """{cluster: what it uses}, of these clusters or of all, in one query."""
    rows = MetricState.objects.exclude(time=0)
    if clusters is not None:
        rows = rows.filter(cluster_id__in=list(clusters))
    now = timezone.now().timestamp()
    return {
        row.cluster_id: Totals(
            Use(row.cpu, row.memory),
            datetime.fromtimestamp(row.time, UTC),
            row.source,
            now - row.time <= FRESH_SECONDS,
        )
        for row in rows
    }


def _newest(clusters: Iterable[int]) -> dict[int, int]:
    """{cluster: time of its newest frames} where that is recent."""
    since = int(timezone.now().timestamp()) - FRESH_SECONDS
    rows = MetricState.objects.filter(cluster_id__in=list(clusters), time__gte=since)
    return dict(rows.values_list("cluster_id", "time"))


def _uses(
    newest: Mapping[int, int], series: Iterable[MetricSeries]
) -> dict[tuple[int, str, str, str], Use]:
    names = {
        row.pk: (row.cluster_id, row.of, row.namespace, row.name, row.part)
        for row in series
        if row.cluster_id in newest
    }
    frames = Q(pk__in=())
    parts: dict[int, set[int]] = {}
    for cluster, _of, _ns, _name, part in names.values():
        parts.setdefault(cluster, set()).add(part)
    for cluster, numbers in parts.items():
        frames |= Q(cluster_id=cluster, time=newest[cluster], part__in=numbers)
    found: dict[tuple[int, str, str, str], Use] = {}
    if not names:
        return found
    for frame in MetricFrame.objects.filter(frames, tier=Tier.RAW):
        for pk, point in unpack(frame.data, names).items():
            cpu = point.cpu.mean if point.cpu else None
            memory = point.memory.mean if point.memory else None
            found[names[pk][:4]] = Use(cpu, memory)
    return found
