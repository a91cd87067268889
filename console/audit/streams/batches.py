"""What goes out next: events in the order of their places, each checkpoint after what it covers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from console.audit.canonical import plain
from console.audit.models import AuditEvent, Checkpoint, Leaf

MOST_EVENTS = 500
MOST_BYTES = 1 << 20
# So many events are in memory at a time: one may have a megabyte.
STEP = 25


@dataclass(frozen=True)
class Item:
    """One event with its place, or one checkpoint.

    line: JSON in ASCII without a line break. event: None for a checkpoint, and where the
    event is there no more. position: of the event, or the first that the checkpoint does not
    cover.
    """

    line: str
    position: int
    event: AuditEvent | None = None
    checkpoint: Checkpoint | None = None


@dataclass
class Batch:
    """Items in order, and where to go on when the receiver has them."""

    first: int
    position: int
    checkpoint: int
    items: list[Item] = field(default_factory=list)


def next_batch(position: int, checkpoint: int, events: int = MOST_EVENTS) -> Batch:
    """What comes next for a receiver that has all before `position` and `checkpoint`.

    At most so many events and about a megabyte, one event in any case.
    """
    batch = Batch(position, position, checkpoint)
    found = list(_events(position, events))
    if found:
        batch.position = found[-1].position + 1
    # Asked after the events: a checkpoint is never older than an event that it does not cover.
    points = Checkpoint.objects.filter(size__gt=checkpoint, size__lte=batch.position)
    waiting = [_of_checkpoint(point) for point in points.order_by("size")]
    if waiting:
        batch.checkpoint = waiting[-1].position
    for item in found:
        while waiting and waiting[0].position <= item.position:
            batch.items.append(waiting.pop(0))
        batch.items.append(item)
    batch.items += waiting
    return batch


def _events(position: int, most: int) -> Iterator[Item]:
    leaves = Leaf.objects.filter(position__gte=position).order_by("position")
    rows = list(leaves.values_list("position", "event_id", "hash")[:most])
    size = 0
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        known = AuditEvent.objects.in_bulk([event_id for _place, event_id, _hash in part])
        for place, event_id, digest in part:
            event = known.get(event_id)
            # One that was removed leaves its hash: the receiver sees that there was one.
            content = plain(event) if event else None
            more = {} if event else {"hash": bytes(digest).hex()}
            item = Item(_line({"position": place, "event": content} | more), place, event)
            if size and size + len(item.line) > MOST_BYTES:
                return
            size += len(item.line)
            yield item


def _of_checkpoint(point: Checkpoint) -> Item:
    line = _line({"size": point.size, "checkpoint": point.note})
    return Item(line, point.size, checkpoint=point)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":"))
