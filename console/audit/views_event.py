"""One event's own page: all its fields, what it changed, its proof, and the ways from it."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.audit import elsewhere, exporting, looking
from console.audit.canonical import plain, stamp_fits
from console.audit.catalogue import ACTIONS
from console.audit.diff import diff
from console.audit.models import AuditEvent, Checkpoint, Leaf
from console.audit.trails import neighbours, trails
from console.audit.verifier import content, leaf_hash
from console.ui.downloads import attachment

# A longer event is for the download.
RAW_LIMIT = 20_000


@requires(GET="audit.view")
def event(request: HttpRequest, pk: int) -> HttpResponse:
    """The event, its neighbours, and where it is in the tree."""
    row = get_object_or_404(AuditEvent, pk=pk)
    ways = neighbours(row)
    for way in ways:
        for other in (way.older, way.newer):
            if other is not None:
                other.action_text = ACTIONS.get(other.action, other.action)  # type: ignore[attr-defined]
    elsewhere.add_links([row])
    raw = content(plain(row)).decode("utf-8", "replace")
    context = {
        "event": row,
        "action_text": ACTIONS.get(row.action, row.action),
        "diff": diff(row),
        "trails": trails(row),
        "neighbours": ways,
        "raw": raw if len(raw) <= RAW_LIMIT else "",
        **_place(row),
    }
    looking.looked_at(request, row)
    return render(request, "audit/event.html", context)


@requires(GET="audit.view")
def proof(request: HttpRequest, pk: int) -> HttpResponse:
    """The event with what proves it, as a file; the same as the API has."""
    row = get_object_or_404(AuditEvent, pk=pk)
    found = exporting.proof_of(row)
    if found is None:
        messages.warning(request, _("No checkpoint covers this event yet: ask again in a minute."))
        return redirect("audit:event", pk=pk)
    looking.looked_at(request, row)
    return _file(json.dumps(found, ensure_ascii=True, indent=1).encode(), f"event-{pk}-proof.json")


@requires(GET="audit.view")
def raw(request: HttpRequest, pk: int) -> HttpResponse:
    """The bytes that are hashed: the event in its canonical form."""
    row = get_object_or_404(AuditEvent, pk=pk)
    looking.looked_at(request, row)
    return _file(content(plain(row)), f"event-{pk}.json")


def _file(data: bytes, name: str) -> HttpResponse:
    headers = {"Content-Disposition": attachment(f"flotilla-audit-{name}")}
    return HttpResponse(data, content_type="application/json", headers=headers)


def _place(row: AuditEvent) -> dict[str, object]:
    """Position, hash and checkpoint, and whether the event is still what was hashed."""
    stamped = stamp_fits(row) if row.stamp else None
    leaf = Leaf.objects.filter(event_id=row.pk).first()
    if leaf is None:
        return {"leaf": None, "stamped": stamped}
    return {
        "leaf": leaf,
        "leaf_hash": bytes(leaf.hash).hex(),
        "unaltered": bytes(leaf.hash) == leaf_hash(content(plain(row))),
        "stamped": stamped,
        "checkpoint": Checkpoint.objects.filter(size__gt=leaf.position).order_by("size").first(),
    }
