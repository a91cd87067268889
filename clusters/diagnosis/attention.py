"""What needs somebody, of the fleet or of a cluster: a line for each workload, worst first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, TextField, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from clusters.diagnosis import network, pods, pods_life, workloads
from clusters.diagnosis.evidence import Evidence
from clusters.diagnosis.neighbours import WORST_FIRST, events_of, worded
from clusters.diagnosis.reading import Cause
from clusters.diagnosis.rules import refine
from clusters.diagnosis.words import INFO, Words
from clusters.models import Cluster, Health, Object

# Lines that are looked at before the worst are chosen.
CANDIDATES = 200
_UNWELL = (Health.BAD, Health.WARN)
_STARTING = ("Pending", "ContainerCreating", "PodInitializing")
# Kinds that no controller ever calls failed: what keeps them is in their events or conditions.
_NO_DEADLINE = (
    "persistentvolumeclaims", "namespaces", "statefulsets.apps", "daemonsets.apps", "jobs.batch",
)  # fmt: skip
_FIRST = {"nodes": 0, "persistentvolumes": 1, "namespaces": 1}


@dataclass(frozen=True)
class Attention:
    """One line. row: the workload, or what has none; count: how many of its pods it is about.

    since: when the proof began, None when it is not known; level: "bad", "warn" or "info".
    """

    row: Object
    cause: Cause
    words: Words
    level: str
    count: int
    since: datetime | None
    evidence: Evidence


@dataclass
class _Line:
    """A line that is being put together: whose, what shows its cause, about how many pods."""

    row: Object
    shows: Object
    count: int
    bad: bool


def attention(
    clusters: QuerySet[Cluster], limit: int = 20, now: datetime | None = None
) -> list[Attention]:
    """What needs somebody in these clusters, the worst first, at most `limit` lines.

    Six queries, however many objects there are. What is not well and has no
    cause that is known is there too, with its status as the words.
    """
    now = now or timezone.now()
    groups: list[dict[str, Any]] = list(_pod_groups(clusters, now)[:CANDIDATES])
    shown = Object.objects.select_related("cluster").in_bulk(
        [group["worst"] or group["any"] for group in groups]
    )
    singles = list(_singles(clusters, now)[:CANDIDATES])
    owners = _owners([*shown.values(), *singles])
    lines: dict[tuple[int, str], _Line] = {}
    for group in groups:
        pod = shown.get(group["worst"] or group["any"])
        if pod is not None:
            _add(lines, _top(pod, owners), pod, group["number"], bool(group["worst"]))
    for row in singles:
        top = _top(row, owners)
        key = (row.cluster_id, top.uid or f"#{top.pk}")
        # Its pods say it better; a refused creation has no pods.
        if key not in lines or (row.pk == top.pk and row.cause.get("code") in _OF_ITS_OWN):
            _add(lines, top, row, 0, row.health == Health.BAD)
    worst = sorted(lines.values(), key=_rank)[: limit + CANDIDATES // 4]
    events = events_of({line.shows.pk: line.shows for line in worst}.values())
    told = (_told(line, events.get(line.shows.pk, []), now) for line in worst)
    return [line for line in told if line is not None][:limit]


# What a workload says of itself that no pod can say.
_OF_ITS_OWN = frozenset({"quota_exceeded", "quota_unspecified", "limit_range", "pod_security",
                         "webhook_denied", "webhook_away", "create_refused"})  # fmt: skip


def _pod_groups(clusters: QuerySet[Cluster], now: datetime) -> Any:
    """Pods that are not well, counted by their controller; one without is a group of its own."""
    late = (now - timedelta(seconds=pods_life.TERMINATING_SECONDS)).strftime("%Y-%m-%dT%H:%M:%S")
    slow = now - timedelta(seconds=pods.SLOW_SECONDS)
    unwell = (
        Q(health__in=_UNWELL)
        | Q(health=Health.MOVING, created__lt=slow, status__in=_STARTING)
        | Q(health=Health.MOVING, created__lt=slow, status__startswith="Init:")
        | Q(status="Terminating", ending__lt=late)
    )
    return (
        Object.objects.filter(cluster__in=clusters, resource="pods")
        .alias(ending=Cast(KT("summary__deleted"), TextField()))
        .filter(unwell)
        .order_by()
        .annotate(group=Case(When(owner_uid="", then=F("uid")), default=F("owner_uid")))
        .values("cluster_id", "namespace", "group")
        .annotate(
            number=Count("id"),
            worst=Max(Case(When(health=Health.BAD, then=F("id")))),
            any=Min("id"),
        )
        .order_by(F("worst").desc(nulls_last=True), "-number")
    )


def _singles(clusters: QuerySet[Cluster], now: datetime) -> QuerySet[Object]:
    """Everything else that is not well, or has been on the way for long."""
    slow = now - timedelta(seconds=pods.SLOW_SECONDS)
    unwell = Q(health__in=_UNWELL) | Q(
        health=Health.MOVING, created__lt=slow, resource__in=_NO_DEADLINE
    )
    return (
        Object.objects.filter(unwell, cluster__in=clusters)
        .exclude(resource="pods")
        .select_related("cluster")
        .order_by(WORST_FIRST, "resource", "id")
    )


def _owners(rows: Iterable[Object]) -> dict[tuple[int, str], Object]:
    """The owners of rows and the owners of these, by cluster and uid; two queries."""
    found: dict[tuple[int, str], Object] = {}
    wanted = {row.owner_uid for row in rows if row.owner_uid}
    for _step in range(2):
        level = list(
            Object.objects.filter(uid__in=wanted).exclude(uid="").select_related("cluster")
        )
        found |= {(row.cluster_id, row.uid): row for row in level}
        wanted = {row.owner_uid for row in level if row.owner_uid}
    return found


def _top(row: Object, owners: dict[tuple[int, str], Object]) -> Object:
    """The outermost owner that is known: a pod's Deployment, a Job's CronJob."""
    for _step in range(2):
        owner = owners.get((row.cluster_id, row.owner_uid)) if row.owner_uid else None
        if owner is None or owner.resource == "nodes":
            return row
        row = owner
    return row


def _add(
    lines: dict[tuple[int, str], _Line], top: Object, shows: Object, number: int, bad: bool
) -> None:
    key = (top.cluster_id, top.uid or f"#{top.pk}")
    line = lines.get(key)
    if line is None:
        lines[key] = _Line(top, shows, number, bad)
        return
    line.count += number
    if (bad and not line.bad) or number == 0:
        line.shows, line.bad = shows, line.bad or bad


def _rank(line: _Line) -> tuple[bool, int, int, str]:
    return (not line.bad, _FIRST.get(line.row.resource, 2), -line.count, line.row.name)


def _told(line: _Line, events: list[Any], now: datetime) -> Attention | None:
    found = refine(line.shows, events, now) or line.shows.cause
    if found and line.row.pk != line.shows.pk and line.row.resource in workloads.RESOURCES:
        found = workloads.with_pod(line.row, line.row.cause, line.shows, found)
    if line.shows.health not in _UNWELL and found.get("code", "") in ("", "replicas_missing"):
        return None  # it takes its time, and nothing speaks against it
    if not found:
        found = {"code": "", "values": {}, "evidence": {"kind": "status"}}
    told = worded(line.shows if not found["code"] else line.row, found)
    if told.level == INFO and not line.bad:
        return None
    said = Words(told.what, told.mend) if told.what else Words(f"{line.shows.status}.", "")
    severity = told.level or str(line.shows.health)
    return Attention(line.row, found, said, severity, max(1, line.count), told.since, told.evidence)


def stranded(cluster: Cluster, limit: int = 20) -> list[Attention]:
    """Services of one cluster that lead nowhere, and ingresses to what is not there.

    Three queries, and every pod's labels are read: for the cluster's own pages, not for the fleet.
    """
    rows = Object.objects.filter(cluster=cluster)
    services = list(rows.filter(resource="services").select_related("cluster"))
    ingresses = rows.filter(resource="ingresses.networking.k8s.io").select_related("cluster")
    by_namespace: dict[str, list[Object]] = {}
    fields = ("namespace", "labels", "summary")
    for pod in rows.filter(resource="pods").only(*fields).iterator(chunk_size=2000):
        by_namespace.setdefault(pod.namespace, []).append(pod)
    found: list[tuple[Object, Cause]] = [
        (row, network.cause_of_service(row, by_namespace.get(row.namespace, ())))
        for row in services
    ]
    for row in ingresses:
        there = [one for one in services if one.namespace == row.namespace]
        found.append((row, network.cause_of_ingress(row, there)))
    lines: list[Attention] = []
    for row, cause in found:
        if cause and len(lines) < limit:
            told = worded(row, cause)
            said = Words(told.what, told.mend)
            lines.append(Attention(row, cause, said, told.level, 1, None, told.evidence))
    return lines
