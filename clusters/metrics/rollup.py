"""Coarser rows from finer ones, and the end of what is too old. Nothing is ever made up:

a window without samples has no row, and a series without samples in it is not in its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django.db.models import Q

from clusters.metrics.packing import Point, merged, pack_windows, unpack
from clusters.metrics.timing import DAY, HOURS, KEPT, KEPT_PODS, MINUTES
from clusters.models_metrics import MetricFrame, MetricSeries, MetricState, Of, Tier

# A clock that is put right by less than this is no reason to forget anything.
CLOCK_SECONDS = 60


def roll(cluster_id: int, state: MetricState, now: int) -> bool:
    """Make the rows of every window that has ended; whether a window of 5 minutes has.

    Changes state.rolled_* (the caller saves them): a window is made once, by
    whichever watcher comes first after its end.
    """
    ended = now // MINUTES * MINUTES
    if ended <= state.rolled_minutes:
        return False
    _make(cluster_id, Tier.RAW, Tier.MINUTES, MINUTES, state.rolled_minutes, ended)
    state.rolled_minutes = ended
    hour = now // HOURS * HOURS
    if hour > state.rolled_hours:
        _make(cluster_id, Tier.MINUTES, Tier.HOURS, HOURS, state.rolled_hours, hour)
        state.rolled_hours = hour
    return True


def _make(cluster_id: int, fine: Tier, coarse: Tier, width: int, start: int, end: int) -> None:
    rows = MetricFrame.objects.filter(
        cluster_id=cluster_id, tier=fine, time__gte=start, time__lt=end
    )
    if not KEPT_PODS[coarse]:
        rows = rows.filter(part=0)
    rows = rows.order_by("part", "time")
    MetricFrame.objects.bulk_create(
        (
            MetricFrame(cluster_id=cluster_id, tier=coarse, part=part, time=time, data=data)
            for part, time, data in _windows(rows.iterator(chunk_size=200), width)
        ),
        batch_size=100,
        ignore_conflicts=True,
    )


def _windows(frames: Iterator[MetricFrame], width: int) -> Iterator[tuple[int, int, bytes]]:
    """(part, start, bytes) of each window that has frames; frames in the order of part and time."""
    for (part, number), group in groupby(frames, lambda f: (f.part, f.time // width)):
        points: dict[int, list[Point]] = {}
        for frame in group:
            for series, point in unpack(frame.data).items():
                points.setdefault(series, []).append(point)
        yield part, number * width, pack_windows({s: merged(p) for s, p in points.items()})


def purge(cluster_id: int, now: int) -> None:
    """Remove rows that are older than they are kept for, and series without rows."""
    old = Q()
    for tier in Tier:
        width = {Tier.RAW: MINUTES, Tier.MINUTES: MINUTES, Tier.HOURS: HOURS}[tier]
        # A window more, so that the oldest one that is asked for is whole.
        old |= Q(tier=tier, part=0, time__lt=now - KEPT[tier] - width)
        old |= Q(tier=tier, part__gt=0, time__lt=now - KEPT_PODS[tier] - width)
    MetricFrame.objects.filter(old, cluster_id=cluster_id).delete()
    # `seen` moves once an hour.
    pods = Q(of=Of.POD, seen__lt=now - max(KEPT_PODS.values()) - 2 * HOURS)
    others = ~Q(of=Of.POD) & Q(seen__lt=now - max(KEPT.values()) - DAY)
    MetricSeries.objects.filter(pods | others, cluster_id=cluster_id).delete()


def forget_the_future(cluster_id: int, state: MetricState, now: int) -> None:
    """After a clock that was ahead: its rows would stay the newest for good."""
    newest = max(state.time, state.asked)
    if newest <= now + CLOCK_SECONDS:
        return
    MetricFrame.objects.filter(cluster_id=cluster_id, time__gt=now).delete()
    state.time, state.cpu, state.memory = 0, None, None
    state.rolled_minutes = min(state.rolled_minutes, now // MINUTES * MINUTES)
    state.rolled_hours = min(state.rolled_hours, now // HOURS * HOURS)
