"""The record of who did what, for admins and auditors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.accounts.permissions import requires
from console.audit import (
    elsewhere,
    lookback,
    looking,
    review,
    saved,
    timeline,
    verifications,
)
from console.audit.catalogue import ACTIONS
from console.audit.diff import diff
from console.audit.filters import AuditEventFilter
from console.audit.models import Archive, AuditEvent, Verification
from console.audit.trails import trails
from console.ui.lists import keyset

# So many changed fields of an event are in the list; its own page has all.
LIST_FIELDS = 20
LAST_VERIFICATIONS = 10


@requires(GET="audit.view")
def events(request: HttpRequest) -> HttpResponse:
    """Events, newest first, narrowed down by the filter bar; as a table or on a timeline."""
    found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
    if found.is_valid() and found.searches:
        page = lookback.page(request, found.qs)
    else:
        page = keyset(request, found.qs, sorts=("-id",), ends=True)
    chosen = looking.chosen(found)
    page = replace(page, filtered=bool(chosen))
    for event in page.rows:
        event.action_text = ACTIONS.get(event.action, event.action)
        event.trails = trails(event)
        changed = diff(event).changed
        event.changed, event.more_changed = changed[:LIST_FIELDS], len(changed[LIST_FIELDS:])
    elsewhere.add_links(page.rows)
    on_axis = request.GET.get("view") == saved.TIMELINE
    form = "timeline" if on_axis else "page"
    context: dict[str, Any] = {
        "filter": found,
        "form": found.form,
        "page": page,
        "events": page.rows,
        "chosen": urlencode(chosen),
        "saved_views": saved.views_of(cast(User, request.user)),
        "current": saved.query_of(request.GET),
        "timeline": on_axis,
        "archived": Archive.objects.exists(),
        "keep": {"view": saved.TIMELINE} if on_axis else {},
    }
    if on_axis:
        bars = timeline.bars(page.rows)
        context |= {
            "days": timeline.days(page.rows),
            "bars": bars,
            "ticks": timeline.ticks(bars),
            "bars_width": len(bars) * timeline.BAR_WIDTH,
        }
    looking.looked(request, chosen, rows=len(page), form=form)
    return render(request, "audit/list.html", context)


@requires(GET="audit.view", POST="audit.view")
def proof(request: HttpRequest) -> HttpResponse:
    """How far the record is proved; POST verifies what is new, or everything.

    What is too long for a request is for the watcher, with a page of its own.
    """
    found = review.state()
    if request.method == "POST":
        whole = request.POST.get("whole") == "1"
        if verifications.is_long(whole=whole):
            row = verifications.ask(whole=whole, by=cast(User, request.user), request=request)
            return redirect("audit:verification", pk=row.pk)
        try:
            report = review.verified(whole=whole, request=request)
        except OSError as error:
            text = _("The file of checkpoints cannot be read: %(error)s.")
            messages.error(request, text % {"error": error})
            return redirect("audit:proof")
        if report.ok:
            messages.success(request, _("Verified: nothing was altered."))
        return redirect("audit:proof")
    found["verifications"] = Verification.objects.all()[:LAST_VERIFICATIONS]
    return render(request, "audit/proof.html", found)
