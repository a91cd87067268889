"""The feed of notices, and what ends soon."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from console.accounts.models import User
from console.accounts.permissions import ALL_PERMISSIONS, SIGNED_IN, allowed, requires
from console.notices import audiences, expiry
from console.notices.catalogue import KINDS, label, sentence
from console.notices.filters import NoticeFilter
from console.notices.models import Notice
from console.notices.reading import mark_read, visible_notices, with_read
from console.ui.lists import keyset

STAMP = "Feed-Stamp"  # the header in which the page says what it shows already


@requires(GET=SIGNED_IN)
def feed(request: HttpRequest) -> HttpResponse:
    """What was told, newest first; htmx asks again and gets 204 while nothing is new."""
    user = cast(User, request.user)
    found = NoticeFilter(request.GET, queryset=with_read(visible_notices(user), user))
    page = keyset(request, found.qs, sorts=("-id",))
    stamp = _stamp(page.rows)
    part = request.headers.get("HX-Request") == "true"
    if part and request.headers.get(STAMP) == stamp:
        return HttpResponse(status=204)
    _take_dead_links(page.rows, user)
    for notice in page.rows:
        word(notice)
    context = {
        "page": page, "form": found.form, "stamp": stamp, "stamp_header": STAMP, "part": part,
    }  # fmt: skip
    return render(request, "notices/_feed.html" if part else "notices/feed.html", context)


@requires(POST=SIGNED_IN)
def read(request: HttpRequest) -> HttpResponse:
    """Mark one notice as read (`notice`), or all of them."""
    raw = request.POST.get("notice", "")
    mark_read(cast(User, request.user), [int(raw)] if _is_number(raw) else None)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else "notices:feed")


@requires(GET=SIGNED_IN)
def expiring(request: HttpRequest) -> HttpResponse:
    """What the user may know of, by when it ends, soonest first."""
    rows = expiry.radar(request.user)
    return render(request, "notices/expiry.html", {"rows": rows, "days": expiry.RADAR_DAYS})


def word(notice: Notice) -> Notice:
    """Give a notice its words for templates: text, kind_label, look, holds."""
    row: Any = notice
    is_over = notice.resolved is not None
    row.kind_label = label(notice.kind)
    row.text = sentence(notice.kind, notice.values)
    row.over_text = sentence(notice.kind, notice.values, over=True) if is_over else ""
    row.holds = not is_over and notice.kind in KINDS and KINDS[notice.kind].lasting
    return notice


def _take_dead_links(rows: list[Notice], user: User) -> None:
    """Of what is told to an audience, who asked for it and has left has no page any more."""
    own = [
        row
        for row in rows
        if row.owner_id == user.pk
        and row.kind in KINDS
        and KINDS[row.kind].members_page
        and not _by_role(user, row.permission)
    ]
    if own:
        mine = audiences.names(user)
        for row in own:
            row.link = row.link if row.audience in mine else ""


def _by_role(user: User, permission: str) -> bool:
    return permission in ALL_PERMISSIONS and allowed(user, permission)


def _stamp(rows: list[Any]) -> str:
    shown = [(n.pk, n.count, n.resolved, n.severity, n.values, n.unread) for n in rows]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
