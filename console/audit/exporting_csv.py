"""Events as a table for spreadsheets, in a .zip with a signed manifest.

The signature says that the console wrote this table and from which checkpoint; only an export
as JSON Lines proves each event by itself.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from console.audit.canonical import plain
from console.audit.exporting import BATCH
from console.audit.models import AuditEvent, Checkpoint, Leaf, Tree
from console.audit.signing import key_rows, signer
from console.audit.verifier import CSV_FILE, CSV_FORMAT, MANIFEST_FILE, canonical

COLUMNS = (
    "position",
    "time",
    "actor_name",
    "token_name",
    "action",
    "outcome",
    "reason",
    "object_type",
    "object_id",
    "object_name",
    "cluster_name",
    "tenant_name",
    "before",
    "after",
    "request_id",
    "session",
    "address",
    "user_agent",
    "duration_ms",
    "actor",
    "cluster",
    "tenant",
    "uid",
)
# What makes a formula of a cell, wide characters included.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"


def parts(
    point: Checkpoint, events: QuerySet[AuditEvent], filters: str = "", *, bom: bool = False
) -> Iterator[bytes]:
    """The bytes of the .zip, piece by piece: the table, then its manifest.

    point: events that it does not cover are left out. filters: what the events were chosen by,
    for people. bom: begin with a byte order mark, by which some spreadsheets know UTF-8.
    """
    sink = _Sink()
    digest, count = hashlib.sha256(), 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_named(CSV_FILE), "w", force_zip64=True) as table:
            for number, data in _tables(point.size, events, bom=bom):
                table.write(data)
                digest.update(data)
                count += number
                if held := sink.taken():
                    yield held
        manifest = _manifest(point, filters, digest.hexdigest(), count)
        archive.writestr(_named(MANIFEST_FILE), manifest)
    yield sink.taken()


def cell(value: Any) -> str:
    """A value as a spreadsheet may have it: what would be a formula begins with an apostrophe."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else canonical(value)
    # Half a character, which an old event may hold, is no UTF-8.
    text = text.encode("utf-8", "replace").decode()
    return f"'{text}" if text.startswith(FORMULA) else text


def _tables(size: int, events: QuerySet[AuditEvent], *, bom: bool) -> Iterator[tuple[int, bytes]]:
    """(rows, bytes) of the head and of each batch."""
    yield 0, _rows([COLUMNS], BOM if bom else "")
    after = 0
    while batch := list(events.order_by("pk").filter(pk__gt=after)[:BATCH]):
        after = batch[-1].pk
        placed = Leaf.objects.filter(event_id__in=[one.pk for one in batch], position__lt=size)
        places = dict(placed.values_list("event_id", "position"))
        rows = [_row(places[one.pk], one) for one in batch if one.pk in places]
        yield len(rows), _rows(rows)


def _row(position: int, event: AuditEvent) -> list[str]:
    values = plain(event) | {"position": position}
    return [cell(values[name]) for name in COLUMNS]


def _rows(rows: Any, start: str = "") -> bytes:
    out = io.StringIO(newline="")
    out.write(start)
    csv.writer(out).writerows(rows)  # RFC 4180: lines end in CRLF
    return out.getvalue().encode()


def _manifest(point: Checkpoint, filters: str, sha256: str, count: int) -> str:
    with transaction.atomic():
        tree = Tree.objects.select_for_update().get(pk=1)
        header = {
            "flotilla_audit_csv": CSV_FORMAT,
            "origin": tree.name,
            "complete": False,
            "filter": filters,
        }
        manifest = {
            "count": count,
            "sha256": sha256,
            "checkpoint": point.note,
            "keys": key_rows(),
        }
        text = canonical({"header": header, "manifest": manifest})
        signature = signer(tree).sign(text.encode("utf-8", "surrogatepass"))
    whole = {"header": header, "manifest": manifest}
    return canonical(whole | {"signature": base64.b64encode(signature).decode()}) + "\n"


def _named(name: str) -> zipfile.ZipInfo:
    now = timezone.localtime()
    info = zipfile.ZipInfo(name, now.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


class _Sink:
    """Takes what zipfile writes until it is sent; it cannot be sought in."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind this that could be flushed."""

    def close(self) -> None:
        """There is nothing to be closed."""

    def taken(self) -> bytes:
        """What came since the last time."""
        data, self._held = b"".join(self._held), []
        return data
