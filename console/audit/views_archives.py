"""Archives of old events: the list, and what one of them holds. Each look is recorded."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.audit import archive_check, archiving
from console.audit.archive_file import UNREADABLE, path_of, signed, wrong_with_file
from console.audit.archive_reading import ArchiveFilterForm, page
from console.audit.catalogue import ACTIONS
from console.audit.diff import diff
from console.audit.models import Archive, Tree
from console.audit.record import record
from console.audit.signing import known_keys
from console.ui.downloads import attachment
from console.ui.lists import keyset


@requires(GET="audit.view")
def archives(request: HttpRequest) -> HttpResponse:
    """Every archive, the newest first: its range, and whether its file is there."""
    found = keyset(request, Archive.objects.select_related("check_made"), sorts=("-start",))
    for row in found.rows:
        row.is_there = path_of(row).is_file()
        row.checked = getattr(row, "check_made", None)
    context = {
        "page": found,
        "failure": archiving.last_failure(),
        "keep_days": settings.AUDIT_KEEP_DAYS,
        "keep_events": settings.AUDIT_KEEP_EVENTS,
        "folder": settings.AUDIT_ARCHIVE_DIR,
    }
    return render(request, "audit/archives.html", context)


@requires(GET="audit.view")
def archive(request: HttpRequest, start: int) -> HttpResponse:
    """Events of one archive, in their order, read from its file when that is the signed one."""
    row = get_object_or_404(Archive, pk=start)
    form = ArchiveFilterForm(request.GET)
    chosen = form.chosen if form.is_valid() else {}
    place = request.GET.get("at", "")
    at = int(place) if place.isascii() and place.isdecimal() and len(place) < 19 else 0
    context: dict[str, Any] = {"archive": row, "form": form, "chosen": bool(chosen)}
    wrong = wrong_with(row)
    if not wrong:
        try:
            found = page(path_of(row), chosen, at)
        except UNREADABLE as error:
            text = _("The archive %(file)s cannot be read: %(error)s")
            wrong = text % {"file": row.file, "error": error}
        else:
            for _position, event in found.rows:
                event.action_text = ACTIONS.get(event.action, event.action)
                event.changed = diff(event).changed
            context |= {"rows": found.rows, **_pages(request, found.next, found.previous)}
    after: dict[str, object] = {
        name: request.GET[name] for name in form.fields if request.GET.get(name)
    }
    after |= {"at": at} if at else {}
    record(
        "audit.archive_opened",
        row,
        request=request,
        after=after,
        outcome="failure" if wrong else "success",
        reason=wrong,
    )
    return render(request, "audit/archive.html", context | {"wrong": wrong})


@requires(GET="audit.view")
def download(request: HttpRequest, start: int) -> HttpResponseBase:
    """The file as it was sealed, for the stand-alone verifier."""
    row = get_object_or_404(Archive, pk=start)
    if wrong := wrong_with(row):
        record("audit.archive_downloaded", row, request=request, outcome="failure", reason=wrong)
        messages.error(request, wrong)
        return redirect("audit:archives")
    record("audit.archive_downloaded", row, request=request)
    return FileResponse(
        path_of(row).open("rb"),
        content_type="application/gzip",
        headers={"Content-Disposition": attachment(row.file)},
    )


@requires(POST="audit.view")
def verify(request: HttpRequest, start: int) -> HttpResponse:
    """Compare each event of the file with its place in the tree."""
    row = get_object_or_404(Archive, pk=start)
    wrong = unsigned(row) or archive_check.check(row)
    record(
        "audit.archive_verified",
        row,
        request=request,
        outcome="failure" if wrong else "success",
        reason=wrong,
    )
    if wrong:
        messages.error(request, wrong)
    else:
        text = _("%(file)s is what was sealed: %(count)s events.")
        messages.success(request, text % {"file": row.file, "count": row.count})
    return redirect("audit:archives")


def unsigned(row: Archive) -> str:
    """A sentence when the row is not by this console; empty when it is."""
    tree = Tree.objects.first() or Tree()
    return "" if signed(row, tree.name, known_keys(tree)) else archive_check.not_signed(row)


def wrong_with(row: Archive) -> str:
    """Why what the file holds is not to be believed; empty when it is."""
    return unsigned(row) or wrong_with_file(row)


def _pages(request: HttpRequest, after: int | None, before: int | None) -> dict[str, Any]:
    query = request.GET.copy()
    found = {}
    for name, place in (("next", after), ("previous", before)):
        query["at"] = str(place)
        found[name] = f"?{query.urlencode()}" if place is not None else ""
    return {"page": found}
