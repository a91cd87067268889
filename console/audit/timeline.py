"""A page of events on an axis of time: days, requests, and the gaps between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from django.utils import timezone
from django.utils.formats import date_format

from console.audit.models import AuditEvent
from console.ui.quantities import duration_text

GAP = timedelta(minutes=30)
# By the hour up to so long a page, by the day beyond.
HOURS_FOR = timedelta(hours=48)
MOST_BARS = 60
BAR_WIDTH, BAR_HEIGHT = 12, 60


@dataclass
class Group:
    """Events that one request caused, the newest first; gap: how long nothing came before them.

    That is, between this group and the older one below it on the page.
    """

    events: list[AuditEvent]
    gap: str = ""


@dataclass
class Day:
    """The groups of one day where the console is."""

    day: date
    groups: list[Group] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """How many events an hour or day has; x, y and heights in the drawing's units.

    bad: the height of what was not successful.
    """

    label: str
    count: int
    failed: int
    x: int
    y: int
    height: int
    bad: int

    @property
    def bad_y(self) -> int:
        """Where the part of what was not successful begins: at the foot of the bar."""
        return BAR_HEIGHT - self.bad


def days(rows: Sequence[AuditEvent]) -> list[Day]:
    """The rows, newest first, by day and request."""
    found: list[Day] = []
    groups = [Group(list(group)) for _key, group in groupby(rows, _key)]
    for group, older in pairwise(groups):
        apart = group.events[-1].time - older.events[0].time
        if apart >= GAP:
            group.gap = duration_text(apart.total_seconds())
    for group in groups:
        day = timezone.localtime(group.events[0].time).date()
        if not found or found[-1].day != day:
            found.append(Day(day))
        found[-1].groups.append(group)
    return found


def bars(rows: Sequence[AuditEvent]) -> list[Bar]:
    """The rows of the page, counted by hour or day, the oldest first; nothing below two bars."""
    if not rows:
        return []
    times = [timezone.localtime(row.time) for row in rows]
    oldest, newest = min(times), max(times)
    hourly = newest - oldest <= HOURS_FOR
    step = timedelta(hours=1) if hourly else timedelta(days=1)
    start = oldest.replace(minute=0, second=0, microsecond=0)
    start = start if hourly else start.replace(hour=0)
    number = (newest - start) // step + 1
    if not 1 < number <= MOST_BARS:
        return []
    counts = Counter((time - start) // step for time in times)
    failed = Counter(
        (time - start) // step
        for time, row in zip(times, rows, strict=True)
        if row.outcome != "success"
    )
    most = max(counts.values())
    return [
        _bar(index, start + index * step, counts[index], failed[index], most, hourly=hourly)
        for index in range(number)
    ]


def ticks(found: Iterable[Bar]) -> tuple[str, str]:
    """What stands below the first and the last bar."""
    labels = [bar.label for bar in found]
    return (labels[0], labels[-1]) if labels else ("", "")


def _key(event: AuditEvent) -> tuple[object, ...]:
    day = timezone.localtime(event.time).date()
    # Without a request an event stands by itself.
    return (day, event.request_id or event.pk)


def _bar(index: int, moment: datetime, count: int, failed: int, most: int, *, hourly: bool) -> Bar:
    height = max(2, round(BAR_HEIGHT * count / most)) if count else 0
    label = date_format(moment, "Y-m-d H:00" if hourly else "Y-m-d")
    bad = max(2, round(height * failed / count)) if failed else 0
    return Bar(label, count, failed, index * BAR_WIDTH, BAR_HEIGHT - height, height, bad)
