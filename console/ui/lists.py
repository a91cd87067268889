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


@dataclass(frozen=True)
class Page:
    """One page of rows; next and previous are addresses, empty where there is nothing more."""

    rows: list[Any]
    next: str = ""
    previous: str = ""
    sort: str = ""
    filtered: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def keyset(
    request: HttpRequest,
    queryset: QuerySet[Any],
    sorts: Sequence[str] = ("-id",),
    size: int = 50,
) -> Page:
    """The page of a queryset that the request's address asks for.

    sorts: the columns that `?sort=` may name, the first being the default; each
    a model field without NULLs. The primary key breaks ties.
    """
    names = {name.removeprefix("-") for name in sorts}
    wanted = request.GET.get("sort", "")
    sort = wanted if wanted.removeprefix("-") in names else sorts[0]
    column, down = sort.removeprefix("-"), sort.startswith("-")
    back = "before" in request.GET
    cursor = _read_cursor(request.GET.get("before") or request.GET.get("after") or "")
    ordered = _ordered(queryset, column, descending=down != back)
    if cursor is not None:
        ordered = _beyond(ordered, column, cursor, descending=down != back)
    rows = list(ordered[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    before, after = (more, cursor is not None) if back else (cursor is not None, more)
    skip = {"before", "after", "sort"}
    return Page(
        rows=rows,
        next=_address(request, "after", rows[-1], column) if rows and after else "",
        previous=_address(request, "before", rows[0], column) if rows and before else "",
        sort=sort,
        filtered=any(value for key, value in request.GET.items() if key not in skip),
    )


def _ordered(queryset: QuerySet[Any], column: str, *, descending: bool) -> QuerySet[Any]:
    sign = "-" if descending else ""
    keys = [column] if column in ("id", "pk") else [column, "pk"]
    return queryset.order_by(*(f"{sign}{key}" for key in keys))


def _beyond(
    queryset: QuerySet[Any], column: str, cursor: list[Any], *, descending: bool
) -> QuerySet[Any]:
    """The rows after the cursor; a cursor that makes no sense counts as none."""
    compare = "lt" if descending else "gt"
    value, key = cursor
    if column in ("id", "pk"):
        wanted = Q(**{f"pk__{compare}": key})
    else:
        wanted = Q(**{f"{column}__{compare}": value}) | Q(**{column: value, f"pk__{compare}": key})
    try:
        return queryset.filter(wanted)
    except (ValueError, TypeError, ValidationError, FieldError):
        return queryset


def _address(request: HttpRequest, way: str, row: Model, column: str) -> str:
    query = request.GET.copy()
    for key in ("before", "after"):
        query.pop(key, None)
    value: Any = row
    for part in column.split("__"):
        value = getattr(value, part)
    text = value.isoformat() if isinstance(value, datetime) else value
    raw = json.dumps([text, row.pk], default=str).encode()
    query[way] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return f"?{query.urlencode()}"


def _read_cursor(text: str) -> list[Any] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        return None
    simple = isinstance(value, list) and len(value) == 2
    return value if simple and all(isinstance(v, (str, int, float)) for v in value) else None


def sort_link(request: HttpRequest, key: str, current: str) -> tuple[str, str, SafeString]:
    """(address, arrow icon, aria-sort attribute) of a column heading."""
    query = request.GET.copy()
    for name in ("before", "after"):
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
