"""Events as JSON Lines with a signed manifest, for console/audit/verifier.py to check.

The whole record makes the tree by itself; a part of it carries the proof of each event.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from console.audit import sealing
from console.audit.archive_file import archived_until
from console.audit.canonical import plain
from console.audit.models import AuditEvent, Checkpoint, Leaf, Tree
from console.audit.signing import key_rows, signer
from console.audit.tree import Hashes
from console.audit.verifier import EXPORT_FORMAT, canonical

BATCH = 500


def covered() -> Checkpoint:
    """A checkpoint that covers what is there now. Raises LookupError when there is nothing."""
    sealing.seal()
    point = sealing.checkpoint(force=True) or Checkpoint.objects.first()
    if point is None:
        raise LookupError("There are no events yet.")
    return point


# Takes what a reader may not see out of an event that is never saved; returns the fields' names.
Withhold = Callable[[AuditEvent], list[str]]


def lines(
    point: Checkpoint,
    events: QuerySet[AuditEvent] | None = None,
    filters: str = "",
    archive_from: int | None = None,
    withhold: Withhold | None = None,
) -> Iterator[str]:
    """The lines of an export: header, events in their order, manifest.

    events: only these, each with its proof; None: all that the checkpoint covers. filters:
    what they were chosen by, for people. archive_from: the first position of an archive.
    What comes before an archive, or was archived, is only there as hashes.
    withhold: for readers who may not see all of the chosen events.
    """
    tree = Tree.objects.get(pk=1)
    start = archived_until() if archive_from is None else archive_from
    header = {
        "flotilla_audit_export": EXPORT_FORMAT,
        "origin": tree.name,
        "complete": events is None,
        "filter": filters,
    }
    if events is None and start:
        before = [value for _height, value in Hashes().peaks(start)]
        header |= {"start": start, "before": _texts(before)}
    if archive_from is not None:
        header["archive"] = True
    yield _line(header)
    digest, count = hashlib.sha256(), 0
    chosen = _chosen(events, point.size, withhold) if events is not None else None
    for row in _whole(start, point.size) if chosen is None else chosen:
        line = _line(row)
        digest.update(line.encode())
        count += 1
        yield line
    manifest = {
        "count": count,
        "sha256": digest.hexdigest(),
        "checkpoint": point.note,
        "keys": key_rows(),
    }
    with transaction.atomic():
        signature = signer(Tree.objects.select_for_update().get(pk=1)).sign(
            canonical({"header": header, "manifest": manifest}).encode("utf-8", "surrogatepass")
        )
    yield _line({"manifest": manifest, "signature": base64.b64encode(signature).decode()})


def proof_of(event: AuditEvent, withhold: Withhold | None = None) -> dict[str, Any] | None:
    """The event with what proves it against the last checkpoint; None when none covers it."""
    point = Checkpoint.objects.first()
    leaf = Leaf.objects.filter(event_id=event.pk).first()
    if point is None or leaf is None or leaf.position >= point.size:
        return None
    return _proved(event, leaf, Hashes(), point.size, withhold) | {"checkpoint": point.note}


def _proved(
    event: AuditEvent, leaf: Leaf, hashes: Hashes, size: int, withhold: Withhold | None
) -> dict[str, Any]:
    # Without the random number in it, what is left out of an event could be guessed by its hash.
    guessable = event.uid is None
    names = withhold(event) if withhold else []
    row: dict[str, Any] = {"position": leaf.position}
    if names:
        event.uid = None
        row["withheld"] = [*names, "uid"]
        if guessable:
            return row | {"event": plain(event)}
        row["leaf"] = base64.b64encode(bytes(leaf.hash)).decode()
    path = hashes.inclusion(leaf.position, size)
    return row | {"event": plain(event), "proof": _texts(path)}


def _whole(first: int, size: int) -> Iterator[dict[str, Any]]:
    for start in range(first, size, BATCH):
        leaves = Leaf.objects.filter(position__gte=start, position__lt=min(start + BATCH, size))
        rows = list(leaves.order_by("position"))
        found = AuditEvent.objects.in_bulk([row.event_id for row in rows])
        for row in rows:
            if row.event_id in found:  # one that was removed shows in the root
                yield {"position": row.position, "event": plain(found[row.event_id])}


def _chosen(
    events: QuerySet[AuditEvent], size: int, withhold: Withhold | None
) -> Iterator[dict[str, Any]]:
    hashes, after = Hashes(), 0
    while batch := list(events.order_by("pk").filter(pk__gt=after)[:BATCH]):
        keys = [event.pk for event in batch]
        placed = Leaf.objects.filter(event_id__in=keys, position__lt=size)
        places = {leaf.event_id: leaf for leaf in placed}
        for event in batch:
            if event.pk in places:
                yield _proved(event, places[event.pk], hashes, size, withhold)
        after = keys[-1]


def _texts(path: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in path]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n"
