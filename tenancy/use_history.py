"""Use against quota over time, as pages and scripts get it, and when a quota will be full.

A gap stays a gap. The forecast is a straight line through the last 30 days, and is said only
where there are at least 7 days and the line explains most of what was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from tenancy.amounts import RESOURCES, Resource, human
from tenancy.models import Namespace, Tenant, UseFrame, UseOf, UseTier
from tenancy.use_frames import Point, part_of, unpack
from tenancy.use_samples import DAY, HOUR, KEPT

# What an address says: (tier, seconds).
RANGES = {"30d": (UseTier.HOURS, KEPT[UseTier.HOURS]), "1y": (UseTier.DAYS, KEPT[UseTier.DAYS])}
STEP = {UseTier.HOURS: HOUR, UseTier.DAYS: DAY}
# A page draws a point every six hours: what lies between cannot be seen in a line that small.
EVERY = 6
LEAST_DAYS, LEAST_POINTS, LEAST_FIT = 7, 14, 0.5
# Further ahead a line through 30 days says nothing.
FARTHEST_DAYS = 180
WIDTH, HEIGHT, MARGIN = 300, 36, 2

Sample = tuple[int, Point]
Samples = dict[str, list[Sample]]


@dataclass(frozen=True)
class Trend:
    """One resource over time. samples: (seconds since the epoch, Point), oldest first.

    step: how far apart they are where nothing is missing. full_in_days: None where nothing
    honest can be said.
    """

    resource: Resource
    samples: list[Sample]
    step: int
    start: int
    end: int
    full_in_days: int | None = None

    @property
    def used_lines(self) -> list[str]:
        """Points of polylines for the use, in a picture of WIDTH by HEIGHT; a gap ends one."""
        return self._lines([(time, point.used) for time, point in self.samples])

    @property
    def limit_lines(self) -> list[str]:
        """The same for the quota."""
        return self._lines([(time, point.limit) for time, point in self.samples])

    @property
    def label(self) -> str:
        """ "1 CPU of 4 CPU", at the last sample."""
        _time, point = self.samples[-1]
        return f"{human(self.resource.key, point.used)} / {human(self.resource.key, point.limit)}"

    @property
    def table(self) -> list[tuple[datetime, str, str]]:
        """(day, the highest use, the quota then) in words, the newest first."""
        days: dict[int, Point] = {}
        for time, point in self.samples:
            day = time // DAY * DAY
            if day not in days or point.used >= days[day].used:
                days[day] = point
        key = self.resource.key
        return [
            (datetime.fromtimestamp(day, UTC), human(key, point.used), human(key, point.limit))
            for day, point in reversed(days.items())
        ]

    def _lines(self, values: Sequence[tuple[int, int]]) -> list[str]:
        most = max((max(p.used, p.limit) for _time, p in self.samples), default=0) or 1
        lines: list[list[str]] = []
        before = None
        for time, value in values:
            if before is None or time - before > 1.5 * self.step:
                lines.append([])
            before = time
            x = (time - self.start) * WIDTH / (self.end - self.start)
            y = HEIGHT - MARGIN - value * (HEIGHT - 2 * MARGIN) / most
            lines[-1].append(f"{x:.1f},{y:.1f}")
        # A line of one point would not be seen.
        return [" ".join(line if len(line) > 1 else line * 2) for line in lines]


def of_namespace(row: Namespace, now: int | None = None) -> dict[str, Trend]:
    """{resource: its trend} of a namespace for its page, in two queries at most."""
    return _trends(UseOf.NAMESPACE, row.pk, now).get(_subject(row), {})


def of_tenant(tenant: Tenant, now: int | None = None) -> dict[int | None, dict[str, Trend]]:
    """{cluster's key, None for all clusters: as of_namespace()} of a tenant's quotas."""
    found = _trends(UseOf.TENANT, tenant.pk, now)
    return {int(subject.partition(":")[2]) or None: named for subject, named in found.items()}


def samples_of_namespace(row: Namespace, reach: str, now: int | None = None) -> Samples:
    """{resource: its samples, oldest first} of one of RANGES. Raises KeyError for another."""
    return _samples(UseOf.NAMESPACE, row.pk, reach, now).get(_subject(row), {})


def samples_of_tenant(
    tenant: Tenant, cluster: int | None, reach: str, now: int | None = None
) -> Samples:
    """The same of a tenant's quota on one cluster, or (None) over all."""
    found = _samples(UseOf.TENANT, tenant.pk, reach, now)
    return found.get(f"{tenant.pk}:{cluster or 0}", {})


def full_in_days(found: Sequence[Sample], now: int) -> int | None:
    """In how many days the quota will be full at this pace; None where nobody can say.

    By least squares, of what is not older than 30 days.
    """
    recent = [one for one in found if one[0] > now - 30 * DAY]
    if len(recent) < LEAST_POINTS or recent[-1][0] - recent[0][0] < LEAST_DAYS * DAY:
        return None
    if now - recent[-1][0] > DAY:
        return None
    days = [(time - now) / DAY for time, _point in recent]
    used = [point.used for _time, point in recent]
    x, y = math.fsum(days) / len(days), math.fsum(used) / len(used)
    spread = math.fsum((d - x) ** 2 for d in days)
    varied = math.fsum((u - y) ** 2 for u in used)
    together = math.fsum((d - x) * (u - y) for d, u in zip(days, used, strict=True))
    if not varied or together <= 0 or together**2 / (spread * varied) < LEAST_FIT:
        return None
    limit = recent[-1][1].limit
    slope = together / spread
    left = limit - max(y - slope * x, recent[-1][1].used)
    if left <= 0 or left / slope > FARTHEST_DAYS:
        return None
    return math.ceil(left / slope)


def _subject(row: Namespace) -> str:
    return f"{row.pk}:{row.tenant_id}"


def _samples(of: UseOf, key: int, reach: str, now: int | None) -> dict[str, Samples]:
    tier, seconds = RANGES[reach]
    now = int(timezone.now().timestamp()) if now is None else now
    rows = UseFrame.objects.filter(of=of, part=part_of(key), tier=tier, time__gt=now - seconds)
    return _read(rows.order_by("time").iterator(chunk_size=100), key)


def _trends(of: UseOf, key: int, now: int | None) -> dict[str, dict[str, Trend]]:
    """{subject: {resource: its trend}} of everything that belongs to the key."""
    now = int(timezone.now().timestamp()) if now is None else now
    start, step = now - KEPT[UseTier.HOURS], EVERY * HOUR
    first = -(-start // step) * step
    rows = UseFrame.objects.filter(of=of, part=part_of(key), tier=UseTier.HOURS)
    found = _read(rows.filter(time__in=range(first, now + 1, step)).order_by("time"), key)
    if all(len(one) < 2 * EVERY for named in found.values() for one in named.values()):
        start, step = now - 3 * DAY, HOUR  # it has only begun: every hour tells
        found = _read(rows.filter(time__gt=start).order_by("time"), key)
    return {
        subject: {
            name: Trend(RESOURCES[name], listed, step, start, now, full_in_days(listed, now))
            for name, listed in named.items()
            if name in RESOURCES and len(listed) > 1
        }
        for subject, named in found.items()
    }


def _read(rows: Iterable[UseFrame], key: int) -> dict[str, Samples]:
    found: dict[str, Samples] = {}
    for row in rows:
        for subject, points in unpack(row.data).items():
            if subject.partition(":")[0] != str(key):
                continue
            for name, point in points.items():
                found.setdefault(subject, {}).setdefault(name, []).append((row.time, point))
    return found
