"""Pages of what no index finds: looked for in parts, for so long, and said how far.

A text, or two conditions at once, may match once in ten million events. Events are looked through
from the place of the page on, part after part; parts grow while they cost little. When the time is
up the page shows what was found and goes on from there (docs/decisions/0042).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest

from console.audit.models import AuditEvent
from console.ui import lists

# For so long, in seconds, one page looks; and how many event numbers the first part spans.
PATIENCE = 0.5
FIRST_PART = 2_000
GROWTH = 4


@dataclass(frozen=True)
class Found:
    """What was found on the way, in its order.

    full: whether more matches than the page holds were found; edge: the last number that was looked
    at; more: whether there is something left beyond the last row or, where not full, the edge.
    """

    rows: list[AuditEvent]
    edge: int
    more: bool
    full: bool


def look(
    queryset: QuerySet[AuditEvent],
    beyond: int | None,
    size: int,
    *,
    upwards: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Up to `size` events beyond a number, or from the end on; older ones, or newer ones upwards.

    Takes PATIENCE and the time of one part at most.
    """
    ends = AuditEvent.objects.order_by().aggregate(first=Min("pk"))
    ends |= AuditEvent.objects.order_by().aggregate(last=Max("pk"))
    first, last = ends["first"] or 0, ends["last"] or 0
    edge = beyond if beyond is not None else (first - 1 if upwards else last + 1)
    edge = max(edge, first - 1) if upwards else min(edge, last + 1)
    rows: list[AuditEvent] = []
    part, begun = FIRST_PART, clock()
    ordered = queryset.order_by("pk" if upwards else "-pk")
    before = begun
    while (edge < last if upwards else edge > first) and len(rows) <= size:
        if before > begun and before - begun >= PATIENCE:
            return Found(rows, edge, more=True, full=False)
        limits = (
            {"pk__gt": edge, "pk__lte": edge + part}
            if upwards
            else {"pk__lt": edge, "pk__gte": edge - part}
        )
        rows += ordered.filter(**limits)[: size + 1 - len(rows)]
        edge = edge + part if upwards else edge - part
        now = clock()
        # A part is as large as the pace so far and the time that is left allow.
        if (now - before) * GROWTH < PATIENCE - (now - begun):
            part *= GROWTH
        before = now
    return Found(rows[:size], edge, more=len(rows) > size, full=len(rows) > size)


def page(request: HttpRequest, queryset: QuerySet[AuditEvent], size: int = 50) -> lists.Page:
    """The page that the address asks for, as console.ui.lists.keyset makes it.

    extra["looked_until"]: the time of the event where looking ended early; next or previous goes
    on from there.
    """
    back = "before" in request.GET
    place = request.GET.get("before") or request.GET.get("after") or ""
    cursor = lists.read_place(place)
    found = look(queryset, cursor, size, upwards=back)
    rows = found.rows[::-1] if back else found.rows
    onward = found.rows[-1].pk if found.full else found.edge
    here, there = ("before", "after") if back else ("after", "before")
    links = {
        here: lists.address_of_place(request, here, onward) if found.more else "",
        there: lists.address_of_place(request, there, _other_side(found, cursor, back=back))
        if cursor is not None
        else "",
    }
    shown = lists.Page(
        rows=rows, next=links["after"], previous=links["before"], sort="-id", filtered=True
    )
    ends: dict[str, Any] = {
        "first": lists.end_address(request, {}) if shown.previous else "",
        "last": lists.end_address(request, {"before": lists.END}) if shown.next else "",
    }
    early = found.more and not found.full
    return replace(shown, **ends, extra={"looked_until": _time_near(found.edge) if early else None})


def _other_side(found: Found, cursor: int, *, back: bool) -> int:
    """From where the way back begins: the first row, or just on this side of the cursor."""
    if found.rows:
        return found.rows[0].pk
    return cursor - 1 if not back else cursor + 1


def _time_near(number: int) -> datetime | None:
    near = AuditEvent.objects.filter(pk__gte=number).order_by("pk")
    return near.values_list("time", flat=True).first()
