"""manage.py audit archive | archives | open: old events leave the table, and are read again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from django.core.management.base import CommandError

from console.audit import archiving
from console.audit.archive_file import UNREADABLE, ArchiveError, path_of
from console.audit.archive_reading import ArchiveFilterForm, matching
from console.audit.models import Archive, Tree
from console.audit.record import record
from console.audit.signing import known_keys
from console.audit.verifier import NoteError, PublicKey, check_export, opened

FILTERS = tuple(ArchiveFilterForm.base_fields)


class Parts(Protocol):
    """What add_subparsers returns."""

    def add_parser(self, name: str, *, help: str) -> ArgumentParser:
        """The parser of one more part."""


def add_parts(parts: Parts) -> None:
    """Tell the command's parser of the parts that are here."""
    make = parts.add_parser("archive", help="take old events out of the table, into a file")
    make.add_argument("--older-than", type=_count, metavar="DAYS", help="their checkpoint's age")
    make.add_argument("--keep-events", type=_count, metavar="N", help="keep the last N events")
    parts.add_parser("archives", help="list them, and whether their files are there")
    reader = parts.add_parser("open", help="verify an archive or export and print its events")
    reader.add_argument("file", type=Path)
    reader.add_argument("--key", help="trust this public key instead of this console's")
    reader.add_argument("--json", action="store_true", help="JSON Lines with every field")
    for name in FILTERS:
        reader.add_argument(f"--{name}", default="", help="only events with it")


def archive(options: Mapping[str, Any], out: Any) -> None:
    """Archive what the options let go."""
    days, keep = options["older_than"], options["keep_events"]
    if days is None and keep is None:
        raise CommandError("Say what may go: --older-than DAYS, --keep-events N, or both.")
    age = None if days is None else timedelta(days=days)
    try:
        rows = archiving.archive(age, keep, reason="manage.py audit archive")
    except ArchiveError as error:
        archiving.note_failure(str(error))
        raise CommandError(str(error)) from error
    for row in rows:
        out.write(f"{path_of(row)}: positions {row.start} to {row.last}, {row.bytes} bytes.")
    found = archiving.reach(age, keep)
    if found.held_by:
        out.write(f"{found.wanted - found.size} events more may go when {found.held_by} has them.")
    elif not rows:
        out.write("Nothing is old enough: archives end at checkpoints.")


def archives(_options: Mapping[str, Any], out: Any) -> None:
    """List the archives, the oldest first."""
    for row in Archive.objects.order_by("start"):
        state = "" if path_of(row).is_file() else " IS MISSING"
        out.write(
            f"{row.first_time:%F %T} - {row.last_time:%F %T}  positions {row.start} to {row.last}  "
            f"{row.bytes} bytes  sha256 {row.sha256}  {path_of(row)}{state}"
        )


def open_file(options: Mapping[str, Any], out: Any) -> None:
    """Verify a file, then print those of its events that the options want."""
    file: Path = options["file"]
    form = ArchiveFilterForm({name: options[name] for name in FILTERS})
    if not form.is_valid():
        told = "; ".join(f"--{name}: {text[0]}" for name, text in form.errors.items())
        raise CommandError(told)
    after = {"file": str(file)} | {name: options[name] for name in FILTERS if options[name]}
    wrong = _wrong_with(file, options["key"])
    record(
        "audit.archive_opened",
        after=after,
        object_name=file.name,
        outcome="failure" if wrong else "success",
        reason=wrong or "manage.py audit open",
    )
    if wrong:
        raise CommandError(f"{file}: {wrong}")
    for position, event in matching(file, form.chosen):
        if options["json"]:
            out.write(json.dumps({"position": position, "event": event}))
            continue
        who = event["actor_name"] or "-"
        reason = f" ({event['reason']})" if event["reason"] else ""
        out.write(
            f"{position} {event['time']} {who} {event['action']} "
            f"{event['object_name']} {event['outcome']}{reason}"
        )


def _wrong_with(file: Path, key: str | None) -> str:
    try:
        keys = [PublicKey.of(key)] if key else known_keys(Tree.objects.first() or Tree())
        with opened(file) as lines:
            _told, wrong = check_export(lines, keys)
    except (NoteError, *UNREADABLE) as error:
        return f"cannot be read: {error}"
    return "; ".join(wrong[:10])


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is below 0")
    return number
