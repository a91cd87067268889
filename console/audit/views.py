"""The record of who did what, for admins and auditors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.audit import elsewhere, exporting, looking, review
from console.audit.catalogue import ACTIONS
from console.audit.diff import diff
from console.audit.filters import AuditEventFilter
from console.audit.models import Archive, AuditEvent
from console.audit.record import record
from console.audit.trails import trails
from console.ui.downloads import attachment
from console.ui.lists import keyset

PART_LINES = 200
# So many changed fields of an event are in the list; its own page has all.
LIST_FIELDS = 20


@requires(GET="audit.view")
def events(request: HttpRequest) -> HttpResponse:
    """Events, newest first, narrowed down by the filter bar."""
    found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
    page = keyset(request, found.qs, sorts=("-id",), ends=True)
    for event in page.rows:
        event.action_text = ACTIONS.get(event.action, event.action)
        event.trails = trails(event)
        changed = diff(event).changed
        event.changed, event.more_changed = changed[:LIST_FIELDS], len(changed[LIST_FIELDS:])
    elsewhere.add_links(page.rows)
    looking.looked(request, looking.chosen(found), rows=len(page), form="page")
    context = {"filter": found, "form": found.form, "page": page, "events": page.rows}
    context["archived"] = Archive.objects.exists()
    return render(request, "audit/list.html", context)


@requires(GET="audit.view", POST="audit.view")
def proof(request: HttpRequest) -> HttpResponse:
    """How far the record is proved; POST verifies what is new, or everything."""
    found = review.state()
    if request.method == "POST":
        whole = request.POST.get("whole") == "1"
        if found["size"] - (0 if whole else review.last_good()) > review.PAGE_EVENTS:
            text = _("That is too much for a page: run manage.py audit verify on the console.")
            messages.warning(request, text)
            return redirect("audit:proof")
        try:
            report = review.verified(whole=whole, request=request)
        except OSError as error:
            text = _("The file of checkpoints cannot be read: %(error)s.")
            messages.error(request, text % {"error": error})
            return redirect("audit:proof")
        if report.ok:
            messages.success(request, _("Verified: nothing was altered."))
        return redirect("audit:proof")
    return render(request, "audit/proof.html", found)


@requires(GET="audit.view")
def export(request: HttpRequest) -> HttpResponseBase:
    """Events of the list's filter, or all, as JSON Lines with their proof."""
    found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
    if not found.form.is_valid():
        messages.error(request, _("Nothing was exported: a part of the filter is not right."))
        return redirect("audit:list")
    chosen = looking.chosen(found)
    record("audit.exported", request=request, after=chosen, object_name="audit")
    point = exporting.covered()
    filters = "&".join(f"{name}={text}" for name, text in sorted(chosen.items()))
    return StreamingHttpResponse(
        _streamed(exporting.lines(point, found.qs if chosen else None, filters)),
        content_type="application/x-ndjson",
        headers={"Content-Disposition": attachment(f"flotilla-audit-{point.size}.jsonl")},
    )


async def _streamed(lines: Iterator[str]) -> AsyncIterator[str]:
    """The lines in parts: a server of asynchronous requests would collect all of them first."""
    while part := await sync_to_async(lambda: "".join(islice(lines, PART_LINES)))():
        yield part
