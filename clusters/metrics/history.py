"""What something used over time, as charts and scripts get it. A gap stays a gap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from clusters.metrics.packing import Point, Stat, unpack
from clusters.metrics.timing import DAY, HOURS, STEP
from clusters.models import Cluster
from clusters.models_metrics import MetricFrame, MetricSeries, Of, Tier

WORKLOAD = "workload"
KINDS_OF = (*Of.values, WORKLOAD)

# {what an address says: (tier, seconds)}; pods are kept for hours, everything else for days.
RANGES: dict[str, tuple[Tier, int]] = {
    "1h": (Tier.RAW, HOURS),
    "6h": (Tier.MINUTES, 6 * HOURS),
    "24h": (Tier.MINUTES, DAY),
    "14d": (Tier.HOURS, 14 * DAY),
}
POD_RANGES = ("1h", "6h")
LONG_RANGES = ("1h", "24h", "14d")
# Samples further apart than so many steps have a gap between them: one may be late or lost.
GAP_STEPS = {Tier.RAW: 2.5, Tier.MINUTES: 1.5, Tier.HOURS: 1.5}


@dataclass(frozen=True)
class Subject:
    """What is asked about. kind: of a workload, as its pods name it ("Deployment")."""

    of: str
    namespace: str = ""
    name: str = ""
    kind: str = ""

    @property
    def ranges(self) -> tuple[str, ...]:
        """How far back there are figures."""
        return POD_RANGES if self.of in (Of.POD, WORKLOAD) else LONG_RANGES


@dataclass
class History:
    """Columns of the same length: times (seconds since the epoch), CPU in cores, memory in bytes.

    A row of None is a gap. *_highest: the highest sample in a window; of samples and of
    sums of several pods they are what the means are.
    """

    start: int
    end: int
    step: int
    times: list[int] = field(default_factory=list)
    cpu: list[float | None] = field(default_factory=list)
    cpu_highest: list[float | None] = field(default_factory=list)
    memory: list[float | None] = field(default_factory=list)
    memory_highest: list[float | None] = field(default_factory=list)

    def add(self, time: int, point: Point | None) -> None:
        """One row; None: a gap."""
        cpu, memory = (point.cpu, point.memory) if point else (None, None)
        self.times.append(time)
        for stat, mean, highest in (
            (cpu, self.cpu, self.cpu_highest),
            (memory, self.memory, self.memory_highest),
        ):
            mean.append(stat.mean if stat else None)
            highest.append(stat.highest if stat else None)

    def as_json(self) -> dict[str, Any]:
        """The columns for a chart."""
        return dict(vars(self))


def series_of(cluster: Cluster, subject: Subject) -> QuerySet[MetricSeries]:
    """The series of a subject: one, or those of all pods of a workload."""
    rows = MetricSeries.objects.filter(cluster=cluster)
    if subject.of == WORKLOAD:
        return rows.filter(
            of=Of.POD,
            namespace=subject.namespace,
            workload_kind=subject.kind,
            workload_name=subject.name,
        )
    return rows.filter(of=subject.of, namespace=subject.namespace, name=subject.name)


def history(cluster: Cluster, subject: Subject, reach: str) -> History:
    """What the subject used in one of RANGES, up to now. Two queries.

    Raises KeyError for a range that does not exist.
    """
    tier, seconds = RANGES[reach]
    now = int(timezone.now().timestamp())
    found = History(now - seconds, now, STEP[tier])
    parts = dict[int, set[int]]()
    for pk, part in series_of(cluster, subject).values_list("pk", "part"):
        parts.setdefault(part, set()).add(pk)
    if not parts:
        return found
    frames = MetricFrame.objects.filter(
        cluster=cluster, tier=tier, part__in=parts, time__gt=now - seconds, time__lte=now
    )
    points: dict[int, list[Point]] = {}
    for frame in frames.iterator(chunk_size=200):
        held = points.setdefault(frame.time, [])
        held.extend(unpack(frame.data, parts[frame.part]).values())
    last = None
    for time in sorted(points):
        if last is not None and time - last > GAP_STEPS[tier] * found.step:
            found.add(last + found.step, None)
        found.add(time, summed(points[time]))
        last = time
    return found


def summed(points: Iterable[Point]) -> Point | None:
    """Several series at one time, together; None when none of them has figures."""
    listed = list(points)
    if len(listed) == 1:
        return listed[0]
    cpu = _sum([point.cpu for point in listed])
    memory = _sum([point.memory for point in listed])
    return Point(cpu, memory) if cpu or memory else None


def _sum(stats: list[Stat | None]) -> Stat | None:
    known = [stat for stat in stats if stat is not None]
    if not known:
        return None
    # The highest of each need not have been at the same moment: their sum would be made up.
    total = math.fsum(stat.mean for stat in known)
    return Stat(total, total, max(stat.samples for stat in known))
