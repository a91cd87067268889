"""Samples of what namespaces and tenants use, once an hour, in bulk: never one by one.

A thread of the watcher looks every few minutes; whoever comes first in an hour writes its
rows. Hours are kept for 30 days and days, each with the highest amounts of its hours, for a
year. Of clusters that do not answer nothing is written: a gap stays a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby

from django.db.models import Q
from django.utils import timezone

from clusters.upkeep import REACHABLE
from tenancy import raises, use
from tenancy.amounts import NAMESPACES, Amounts, read
from tenancy.models import Namespace, UseFrame, UseOf, UseTier
from tenancy.use_frames import Frame, Point, Points, highest, pack, part_of, unpack

HOUR, DAY = 3600, 86_400  # seconds of one window
KEPT = {UseTier.HOURS: 30 * DAY, UseTier.DAYS: 366 * DAY}
# As many namespaces are reckoned in one set of queries.
BATCH = 5000
# A clock that is put right by less than this is no reason to forget anything.
CLOCK_SECONDS = HOUR


def look(now: int | None = None) -> None:
    """Write the sample of this hour where there is none, days that have ended; purge.

    now: seconds since the epoch.
    """
    now = int(timezone.now().timestamp()) if now is None else now
    UseFrame.objects.filter(time__gt=now + CLOCK_SECONDS).delete()
    hour = now // HOUR * HOUR
    if UseFrame.objects.filter(tier=UseTier.HOURS, time=hour).exists():
        return
    parts: dict[tuple[UseOf, int], Frame] = defaultdict(dict)
    namespaces = list(Namespace.objects.select_related("cluster").order_by("pk"))
    uses = _uses(namespaces)
    for subject, points in _of_namespaces(namespaces, uses):
        parts[UseOf.NAMESPACE, part_of(int(subject.partition(":")[0]))][subject] = points
    for subject, points in _of_tenants(namespaces, uses):
        parts[UseOf.TENANT, part_of(int(subject.partition(":")[0]))][subject] = points
    UseFrame.objects.bulk_create(
        (
            UseFrame(of=of, part=part, tier=UseTier.HOURS, time=hour, data=pack(frame))
            for (of, part), frame in parts.items()
        ),
        batch_size=100,
        ignore_conflicts=True,
    )
    _make_days(now // DAY * DAY)
    old = Q()
    for tier, seconds in KEPT.items():
        old |= Q(tier=tier, time__lt=now - seconds - DAY)
    UseFrame.objects.filter(old).delete()


def _uses(namespaces: Iterable[Namespace]) -> dict[int, Amounts]:
    """{namespace's key: what it uses}, of those whose cluster answers."""
    found: dict[int, Amounts] = {}
    answering = [one for one in namespaces if one.cluster.status in REACHABLE]
    for start in range(0, len(answering), BATCH):
        found |= use.used(answering[start : start + BATCH])
    return found


def _of_namespaces(
    namespaces: Iterable[Namespace], uses: dict[int, Amounts]
) -> Iterator[tuple[str, Points]]:
    for one in namespaces:
        used = uses.get(one.pk, {})
        limits = read(one.quota)
        points = {key: Point(used[key], limits[key]) for key in limits if key in used}
        if points:
            yield f"{one.pk}:{one.tenant_id}", points


def _of_tenants(
    namespaces: Iterable[Namespace], uses: dict[int, Amounts]
) -> Iterator[tuple[str, Points]]:
    by_tenant: dict[int, list[Namespace]] = defaultdict(list)
    for one in namespaces:
        by_tenant[one.tenant_id].append(one)
    for tenant, scopes in raises.limits_of_all().items():
        for cluster, limits in scopes.items():
            here = [n for n in by_tenant[tenant] if cluster in (None, n.cluster_id)]
            points = {}
            for key, limit in limits.items():
                # One that is not known makes the sum so.
                known = [uses[n.pk][key] for n in here if key in uses.get(n.pk, {})]
                if key == NAMESPACES:
                    points[key] = Point(len(here), limit)
                elif len(known) == len(here):
                    points[key] = Point(sum(known), limit)
            if points:
                yield f"{tenant}:{cluster or 0}", points


def _make_days(today: int) -> None:
    """The rows of days that have ended and have none yet."""
    days = UseFrame.objects.filter(tier=UseTier.DAYS)
    last = days.order_by("-time").values_list("time", flat=True).first()
    start = last + DAY if last is not None else 0
    frames = UseFrame.objects.filter(tier=UseTier.HOURS, time__gte=start, time__lt=today)
    rows = frames.order_by("of", "part", "time").iterator(chunk_size=200)
    UseFrame.objects.bulk_create(
        (
            UseFrame(of=of, part=part, tier=UseTier.DAYS, time=day * DAY, data=pack(frame))
            for (of, part, day), frame in _by_day(rows)
        ),
        batch_size=100,
        ignore_conflicts=True,
    )


def _by_day(rows: Iterator[UseFrame]) -> Iterator[tuple[tuple[str, int, int], Frame]]:
    for key, group in groupby(rows, lambda row: (row.of, row.part, row.time // DAY)):
        yield key, highest(unpack(row.data) for row in group)
