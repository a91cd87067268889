"""The file of an archive: what is signed of it, whether it is still that, and what it holds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from console.audit.canonical import instant
from console.audit.models import Archive, Leaf, Tree
from console.audit.signing import known_keys
from console.audit.verifier import PublicKey, content, leaf_hash, opened

BATCH = 1000
BLOCK = 1 << 20
# What a damaged or foreign file makes the readers raise.
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError)


class ArchiveError(Exception):
    """An archive that cannot be made or believed; the text says which, why and what to do."""


def statement(origin: str, row: Archive) -> bytes:
    """What is signed of an archive: one line each."""
    times = [instant(row.first_time), instant(row.last_time), instant(row.time)]
    told = [row.start, row.end, *times, row.file, row.bytes, row.sha256]
    return "\n".join(["flotilla audit archive", origin, *map(str, told), ""]).encode()


def signed(row: Archive, origin: str, keys: Sequence[PublicKey]) -> bool:
    """Whether one of these keys signed the row as it is."""
    try:
        signature = base64.b64decode(row.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    text = statement(origin, row)
    return row.start < row.end and any(
        str(key) == row.key and key.signed(signature, text) for key in keys
    )


def archived_until() -> int:
    """From which position on the events are in the table; those before are in archives."""
    tree = Tree.objects.first() or Tree()
    keys = known_keys(tree)
    rows = Archive.objects.order_by("-start").iterator()
    return next((row.end for row in rows if signed(row, tree.name, keys)), 0)


def path_of(row: Archive) -> Path:
    """Where the file should be."""
    return Path(settings.AUDIT_ARCHIVE_DIR) / Path(row.file).name


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def wrong_with_file(row: Archive) -> str:
    """A sentence on why the file is not what was signed; empty when it is."""
    path = path_of(row)
    told = {"file": row.file, "first": row.start, "last": row.last, "folder": str(path.parent)}
    try:
        if digest_of(path) == row.sha256:
            return ""
    except FileNotFoundError:
        return (
            _(
                "The archive %(file)s (positions %(first)s to %(last)s) is not in %(folder)s: put "
                "it back there."
            )
            % told
        )
    except OSError as error:
        text = _("The archive %(file)s (positions %(first)s to %(last)s) cannot be read: %(error)s")
        return text % (told | {"error": error.strerror or str(error)})
    return (
        _(
            "The archive %(file)s (positions %(first)s to %(last)s) was altered: it is not the "
            "file that was signed. Put a copy of that one back."
        )
        % told
    )


def wrong_with_events(row: Archive) -> str:
    """As wrong_with_file; every event of the file is compared with its leaf, too."""
    if wrong := wrong_with_file(row):
        return wrong
    place = row.start
    try:
        for batch in _batches(events_of(path_of(row))):
            last = place + len(batch)
            leaves = Leaf.objects.filter(position__gte=place, position__lt=last)
            hashes = dict(leaves.values_list("position", "hash"))
            for position, event in batch:
                found = hashes.get(place)
                if position != place or bytes(found or b"") != leaf_hash(content(event)):
                    return _differs(row, place)
                place += 1
    except UNREADABLE as error:
        text = _("The archive %(file)s cannot be read: %(error)s")
        return text % {"file": row.file, "error": str(error)}
    return "" if place == row.end else _differs(row, place)


def _differs(row: Archive, place: int) -> str:
    text = _("The archive %(file)s and the tree hold different events at position %(place)s.")
    return text % {"file": row.file, "place": place}


def events_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, event) of each line of an archive or export. Raises what UNREADABLE lists."""
    with opened(path) as lines:
        for line in lines:
            row = json.loads(line)
            if "event" in row:
                yield row["position"], row["event"]


def _batches(
    rows: Iterator[tuple[int, dict[str, Any]]],
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    batch: list[tuple[int, dict[str, Any]]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
