"""Downloads of the list: JSON Lines with their proof, or a table for a spreadsheet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.audit import exporting, exporting_csv, looking
from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent
from console.audit.record import record
from console.ui.downloads import attachment

PART_LINES = 200
# ?format=…: JSON Lines, CSV, and CSV with the mark by which some spreadsheets know UTF-8.
FORMATS = ("jsonl", "csv", "csv-bom")


@requires(GET="audit.view")
def export(request: HttpRequest) -> HttpResponseBase:
    """Events of the list's filter, or all."""
    found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
    wanted = request.GET.get("format", FORMATS[0])
    if not found.form.is_valid() or wanted not in FORMATS:
        messages.error(request, _("Nothing was exported: a part of the filter is not right."))
        return redirect("audit:list")
    chosen = looking.chosen(found)
    after = chosen if wanted == FORMATS[0] else chosen | {"format": wanted}
    record("audit.exported", request=request, after=after, object_name="audit")
    point = exporting.covered()
    filters = "&".join(f"{name}={text}" for name, text in sorted(chosen.items()))
    name = f"flotilla-audit-{point.size}"
    if wanted == FORMATS[0]:
        lines = exporting.lines(point, found.qs if chosen else None, filters)
        return download(request, joined(lines), "application/x-ndjson", f"{name}.jsonl")
    parts = exporting_csv.parts(point, found.qs, filters, bom=wanted == "csv-bom")
    return download(request, parts, "application/zip", f"{name}-csv.zip")


def download(
    request: HttpRequest, parts: Iterator[bytes], kind: str, name: str
) -> StreamingHttpResponse:
    """Parts of a file of this media type, sent as they come."""
    # Each kind of server would collect the other kind of iterator before it sends anything.
    streamed = _asynchronously(parts) if isinstance(request, ASGIRequest) else parts
    headers = {"Content-Disposition": attachment(name)}
    return StreamingHttpResponse(streamed, content_type=kind, headers=headers)


def joined(lines: Iterator[str]) -> Iterator[bytes]:
    """Lines, some hundreds to a part."""
    while part := "".join(islice(lines, PART_LINES)):
        yield part.encode()


async def _asynchronously(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await sync_to_async(lambda: next(parts, None))()) is not None:
        yield part
