"""Old events leave the table: sealed into a file with their proof first, and only then removed.

An archive ends at a signed checkpoint, and begins where the one before it ended. Its leaves
stay, so every proof and checkpoint stays good (docs/decisions/0039-archives-end-at-checkpoints.md).

The order of the steps is what keeps events: the file is written under another name, brought to
the disk, read back and verified; then one transaction puts it in its place, writes the signed row
and the audit event, and removes the events. Whatever ends in between leaves them in the table.
"""

from __future__ import annotations

import base64
import gzip
import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit import exporting, verifying, witness
from console.audit.archive_file import (
    UNREADABLE,
    ArchiveError,
    archived_until,
    digest_of,
    path_of,
    statement,
)
from console.audit.models import Archive, ArchiveCheck, AuditEvent, Checkpoint, Leaf, Tree, Witness
from console.audit.record import record
from console.audit.signing import known_keys, signer
from console.audit.verifier import NoteError, check_export

logger = logging.getLogger(__name__)

ACTION = "audit.archived"
SECONDS = 300.0
# So many events are in one file, about: it ends at a checkpoint.
PART = 20_000
# The watcher makes a smaller one only when the last was made so long ago.
AFTER = timedelta(days=1)
BATCH = 500
# A file that nobody finished within this time was left by a process that died.
LEFTOVER_SECONDS = 24 * 3600.0

# Who still needs events in the table: a name and the first position that is needed, or None.
_needs: dict[str, Callable[[], int | None]] = {}


def register_need(name: str, first: Callable[[], int | None]) -> None:
    """Keep events from the position on that `first` returns (None: no wish) in the table."""
    _needs[name] = first


@dataclass(frozen=True)
class Reach:
    """Up to which position events may go, how far the rules would, and who holds the rest."""

    size: int
    wanted: int
    held_by: str = ""


def reach(older_than: timedelta | None, keep_events: int | None) -> Reach:
    """What the rules let go: whole checkpoints that are old enough, or before the last N events.

    older_than counts from the signed checkpoint that covers an event. Where both are given,
    either is reason enough. Only what every witness and every receiver has may go.
    """
    tree = Tree.objects.first() or Tree()
    wanted = 0
    if older_than is not None:
        old = Checkpoint.objects.filter(time__lte=timezone.now() - older_than)
        wanted = old.values_list("size", flat=True).first() or 0
    if keep_events is not None:
        wanted = max(wanted, _checkpoint_until(tree.size - keep_events))
    limit, held_by = wanted, ""
    for name, first in _holders():
        if first < limit:
            limit, held_by = first, name
    return Reach(_checkpoint_until(limit), wanted, held_by)


def archive(
    older_than: timedelta | None = None,
    keep_events: int | None = None,
    *,
    most: int | None = None,
    request: Any = None,
    reason: str = "",
) -> list[Archive]:
    """Archive what the rules let go, and return the new archives.

    most: so many archives. Raises ArchiveError when one cannot be made; its events are still in
    the table, those of the archives before it are safe.
    """
    made: list[Archive] = []
    end = reach(older_than, keep_events).size
    while (start := archived_until()) < end and (most is None or len(made) < most):
        point = _end_of_part(start, end)
        try:
            row = _make(start, point, request, reason)
        except ArchiveError:
            if archived_until() == start:
                raise
            row = None
        if row is None:
            break  # another process was faster
        made.append(row)
    return made


def round_of_archiving() -> None:
    """What the watcher does every few minutes, where a rule is set."""
    days, events = settings.AUDIT_KEEP_DAYS, settings.AUDIT_KEEP_EVENTS
    if not days and not events:
        return
    last = Archive.objects.first()
    # A clock that went back must not put archives off until it has caught up.
    recent = last is not None and timedelta(0) <= timezone.now() - last.time < AFTER
    size = Tree.objects.values_list("size", flat=True).first() or 0
    if recent and size - archived_until() < PART:
        return
    try:
        archive(
            timedelta(days=days) if days else None,
            events or None,
            most=1,  # events get no places meanwhile
            reason="FLOTILLA_AUDIT_KEEP_DAYS, FLOTILLA_AUDIT_KEEP_EVENTS",
        )
    except ArchiveError as error:
        note_failure(str(error))


def last_failure() -> AuditEvent | None:
    """The event of the last attempt, where that failed."""
    last = AuditEvent.objects.filter(action=ACTION).order_by("-pk").first()
    return last if last and last.outcome == "failure" else None


def note_failure(text: str) -> None:
    """Write down, once for each reason, that archiving failed: the page shows it."""
    logger.error("audit: %s", text)
    before = last_failure()
    if before is None or before.reason != text:
        record(ACTION, object_name="audit", outcome="failure", reason=text)


def _holders() -> list[tuple[str, int]]:
    places = witness.places()
    known = dict(Witness.objects.values_list("name", "size"))
    found = [(name, known.get(name, 0)) for name in places]
    for name, first in _needs.items():
        position = first()
        if position is not None:
            found.append((name, position))
    return found


def _checkpoint_until(limit: int) -> int:
    points = Checkpoint.objects.filter(size__lte=limit)
    return points.values_list("size", flat=True).first() or 0


def _end_of_part(start: int, end: int) -> Checkpoint:
    between = Checkpoint.objects.filter(size__gt=start, size__lte=end)
    point = between.filter(size__lte=start + PART).first() or between.order_by("size").first()
    if point is None:
        raise ArchiveError(
            _("The checkpoint of %(size)s events was removed: run manage.py audit verify.")
            % {"size": end}
        )
    return point


def _make(start: int, point: Checkpoint, request: Any, reason: str) -> Archive | None:
    """One archive, or None when another process made one from here meanwhile."""
    wrong = verifying.verify_range(start, point.size)
    if wrong:
        raise _refused(start, point.size, wrong[0].text)
    folder = _folder()
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        _write(part, start, point)
        _read_back(part, start, point)
        return _settle(part, start, point, request, reason)
    except OSError as error:
        text = _(
            "The archive of positions %(first)s to %(last)s cannot be written to %(folder)s: "
            "%(error)s. Nothing was removed from the record: make room there, or set "
            "FLOTILLA_AUDIT_ARCHIVE_DIR."
        )
        told = {"first": start, "last": point.size - 1, "folder": str(folder)}
        cause = error.strerror or str(error)
        raise ArchiveError(text % (told | {"error": cause})) from error
    finally:
        part.unlink(missing_ok=True)


def _refused(start: int, end: int, cause: str) -> ArchiveError:
    text = _(
        "Positions %(first)s to %(last)s were not archived: %(cause)s Nothing was removed from "
        "the record: run manage.py audit verify."
    )
    return ArchiveError(text % {"first": start, "last": end - 1, "cause": cause})


def _folder() -> Path:
    folder = Path(settings.AUDIT_ARCHIVE_DIR)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):
            if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                left.unlink()
    except FileNotFoundError:
        return folder  # another process took the same leftover away
    except OSError as error:
        text = _(
            "Archives cannot be kept in %(folder)s: %(error)s. Nothing was removed from the "
            "record: give the console's user the right to write there, or set "
            "FLOTILLA_AUDIT_ARCHIVE_DIR."
        )
        told = {"folder": str(folder), "error": error.strerror or str(error)}
        raise ArchiveError(text % told) from error
    return folder


def _write(part: Path, start: int, point: Checkpoint) -> None:
    """Write the file so that it outlives a power cut."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        # No time and no name inside: the same events make the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            for line in exporting.lines(point, archive_from=start):
                packed.write(line.encode("utf-8", "surrogatepass"))
        raw.flush()
        os.fsync(raw.fileno())


def _read_back(part: Path, start: int, point: Checkpoint) -> None:
    """Verify the file as the stand-alone verifier does. Raises ArchiveError."""
    keys = known_keys(Tree.objects.get(pk=1))
    try:
        with gzip.open(part, "rt", encoding="utf-8", newline="\n") as lines:
            told, wrong = check_export(lines, keys)
    except (NoteError, *UNREADABLE) as error:
        if isinstance(error, OSError):
            raise
        raise _refused(start, point.size, f"{error}.") from error
    if (told["start"], told["count"]) != (start, point.size - start):
        wrong = [*wrong, f"the file holds {told['count']} events from position {told['start']} on"]
    if wrong:
        raise _refused(start, point.size, f"{wrong[0]}.")


def _settle(part: Path, start: int, point: Checkpoint, request: Any, reason: str) -> Archive | None:
    digest, size = digest_of(part), part.stat().st_size
    with transaction.atomic():
        tree = Tree.objects.select_for_update().get(pk=1)
        if archived_until() != start:
            return None
        first, last = _times(start, point.size)
        row = Archive(
            start=start, end=point.size, first_time=first, last_time=last,
            file=f"audit-{start:012}-{point.size:012}.jsonl.gz", bytes=size, sha256=digest,
            time=timezone.now(),
        )  # fmt: skip
        now = signer(tree)
        row.key = str(now.public)
        row.signature = base64.b64encode(now.sign(statement(tree.name, row))).decode()
        _put_in_place(part, path_of(row))
        row.save(force_insert=True)
        ArchiveCheck.objects.create(archive=row, time=row.time)
        _remove(start, point.size)
        after = {"first": start, "last": row.last, "bytes": size, "sha256": digest}
        record(ACTION, row, request=request, after=after, reason=reason)
    return row


def _times(start: int, end: int) -> tuple[datetime, datetime]:
    times: list[datetime] = []
    for low in range(start, end, BATCH):
        events = AuditEvent.objects.filter(pk__in=_keys(low, min(low + BATCH, end)))
        found = events.aggregate(first=Min("time"), last=Max("time"))
        times += [time for time in found.values() if time is not None]
    if not times:
        raise _refused(start, end, _("There are no events."))
    return min(times), max(times)


def _put_in_place(part: Path, path: Path) -> None:
    part.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(start: int, end: int) -> None:
    removed = 0
    for low in range(start, end, BATCH):
        keys = _keys(low, min(low + BATCH, end))
        _count, each = AuditEvent.objects.filter(pk__in=keys).delete()
        removed += each.get(AuditEvent._meta.label, 0)
    if removed != end - start:
        cause = _("%(count)s of the events were there.") % {"count": removed}
        raise _refused(start, end, cause)


def _keys(start: int, end: int) -> list[int]:
    places = Leaf.objects.filter(position__gte=start, position__lt=end)
    return list(places.values_list("event_id", flat=True))
