"""The record of who did what, for admins and auditors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.permissions import requires
from console.audit.catalogue import ACTIONS
from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent
from console.ui.lists import keyset


@requires(GET="audit.view")
def events(request: HttpRequest) -> HttpResponse:
    """Events, newest first, narrowed down by the filter bar."""
    found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
    page = keyset(request, found.qs, sorts=("-id",))
    for event in page.rows:
        event.action_text = ACTIONS.get(event.action, event.action)
        event.changes = changes(event)
    context = {"filter": found, "form": found.form, "page": page, "events": page.rows}
    return render(request, "audit/list.html", context)


def changes(event: AuditEvent) -> list[tuple[str, object, object]]:
    """(field, before, after) of what differs."""
    names = dict.fromkeys([*event.before, *event.after])
    pairs = [(name, event.before.get(name), event.after.get(name)) for name in names]
    return [(name, before, after) for name, before, after in pairs if before != after]
