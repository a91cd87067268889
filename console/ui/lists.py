"""Lists of many rows: sorted, filtered by the address, paged by key instead of by offset.

A page is found by the last row of the page before it, so that page 10,000 costs
what page 1 costs and rows that come meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

SIZES = (25, 50, 100)
# Where in the list one is, and the stamp of a page that polls itself (clusters/live_page.py).
PLACE = ("before", "after", "live")
# No row's place: what comes before it is the last page.
END = "end"
NO_FILTER = (*PLACE, "sort", "columns")


@dataclass(frozen=True)
class Page:
    """One page of rows; next and previous are addresses, empty where there is nothing more.

    first and last, of lists that want them: addresses of the two ends.
    """

    rows: list[Any]
    next: str = ""
    previous: str = ""
    sort: str = ""
    filtered: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    first: str = ""
    last: str = ""

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def keyset(
    request: HttpRequest,
    queryset: QuerySet[Any],
    sorts: Sequence[str] = ("-id",),
    size: int = 50,
    then: Sequence[str] = (),
    keys_first: bool = False,
    ends: bool = False,
) -> Page:
    """The page of a queryset that the request's address asks for.

    sorts: the columns that `?sort=` may name, the first being the default; each
    a model field without NULLs. then: columns that order rows which are equal in
    that one, as an index has them; the primary key breaks what ties are left.
    keys_first: find the page's keys before its rows, in a query of its own, for
    lists that no index has in the wanted order: wide rows are not sorted then.
    ends: the page links to the first and the last one.
    """
    names = {name.removeprefix("-") for name in sorts}
    wanted = request.GET.get("sort", "")
    sort = wanted if wanted.removeprefix("-") in names else sorts[0]
    column, down = sort.removeprefix("-"), sort.startswith("-")
    back = "before" in request.GET
    columns = _columns(column, then)
    cursor = _read_cursor(
        request.GET.get("before") or request.GET.get("after") or "", len(columns) + 1
    )
    ordered = _ordered(queryset, columns, descending=down != back)
    if cursor is not None:
        ordered = _beyond(ordered, columns, cursor, descending=down != back)
    if keys_first:
        keys = list(ordered.values_list("pk", flat=True)[: size + 1])
        by_key = queryset.in_bulk(keys)
        rows = [by_key[key] for key in keys if key in by_key]
    else:
        rows = list(ordered[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    before, after = (more, cursor is not None) if back else (cursor is not None, more)
    return Page(
        rows=rows,
        next=_address(request, "after", rows[-1], columns) if rows and after else "",
        previous=_address(request, "before", rows[0], columns) if rows and before else "",
        sort=sort,
        filtered=any(value for key, value in request.GET.items() if key not in NO_FILTER),
        first=end_address(request, {}) if ends and rows and before else "",
        last=end_address(request, {"before": END}) if ends and rows and after else "",
    )


def _columns(column: str, then: Sequence[str]) -> list[str]:
    """What rows are ordered by before the primary key; nothing where that is all."""
    if column in ("id", "pk"):
        return []
    return [column, *(name for name in then if name != column)]


def _ordered(queryset: QuerySet[Any], columns: Sequence[str], *, descending: bool) -> QuerySet[Any]:
    sign = "-" if descending else ""
    return queryset.order_by(*(f"{sign}{key}" for key in (*columns, "pk")))


def _beyond(
    queryset: QuerySet[Any], columns: Sequence[str], cursor: list[Any], *, descending: bool
) -> QuerySet[Any]:
    """The rows after the cursor; a cursor that makes no sense counts as none.

    "a >= x AND (a > x OR …)" says the same as "a > x OR (a = x AND …)", and lets
    the database begin at x in an index instead of reading it from its start.
    """
    compare = "lt" if descending else "gt"
    *values, key = cursor
    wanted = Q(**{f"pk__{compare}": key})
    for column, value in reversed(list(zip(columns, values, strict=True))):
        wanted = Q(**{f"{column}__{compare}e": value}) & (
            Q(**{f"{column}__{compare}": value}) | wanted
        )
    try:
        return queryset.filter(wanted)
    except (ValueError, TypeError, ValidationError, FieldError):
        return queryset


def end_address(request: HttpRequest, place: dict[str, str]) -> str:
    """The address of the list's first page, or with `{"before": END}` of its last one."""
    query = request.GET.copy()
    for key in PLACE:
        query.pop(key, None)
    query.update(place)
    return f"?{query.urlencode()}"


def _address(request: HttpRequest, way: str, row: Model, columns: Sequence[str]) -> str:
    return address_of_place(request, way, *(_value(row, column) for column in columns), row.pk)


def address_of_place(request: HttpRequest, way: str, *place: Any) -> str:
    """The address of the page "after" or "before" a place: a row's columns and its key."""
    raw = json.dumps(place, default=str).encode()
    return end_address(request, {way: base64.urlsafe_b64encode(raw).decode().rstrip("=")})


def read_place(text: str) -> int | None:
    """The key of a place in a list that is sorted by keys alone; None for what is no place."""
    cursor = _read_cursor(text, 1)
    key: Any = cursor[0] if cursor else None
    # Databases count to 2^63.
    return key if isinstance(key, int) and 0 <= key < 2**62 else None


def _value(row: Model, column: str) -> Any:
    value: Any = row
    for part in column.split("__"):
        value = getattr(value, part)
    return value.isoformat() if isinstance(value, datetime) else value


def _read_cursor(text: str, length: int) -> list[Any] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    simple = isinstance(value, list) and len(value) == length
    if not simple or not all(isinstance(v, (str, int, float)) for v in value):
        return None
    # PostgreSQL takes no NUL in a text.
    return None if any(isinstance(v, str) and "\x00" in v for v in value) else value


def sort_link(request: HttpRequest, key: str, current: str) -> tuple[str, str, SafeString]:
    """(address, arrow icon, aria-sort attribute) of a column heading."""
    query = request.GET.copy()
    for name in PLACE:
        query.pop(name, None)
    query["sort"] = f"-{key}" if current == key else key
    if current.removeprefix("-") != key:
        return f"?{query.urlencode()}", "", SafeString("")
    down = current.startswith("-")
    word = "descending" if down else "ascending"
    aria = format_html(' aria-sort="{}"', word)
    arrow_icon = "arrow-down"
    if not down:
        arrow_icon = "arrow-up"
    return f"?{query.urlencode()}", arrow_icon, aria
