"""One reader of the clusters' change counters for all open pages of this process.

While somebody watches, it asks the database four times a second, one small
query whatever the number of pages, and wakes those whose clusters have moved.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from channels.db import database_sync_to_async
from django.db import DatabaseError

from clusters.models import Cluster

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25

# What moves: the counter of the watcher's batches, and the status.
Mark = tuple[int, str]


@dataclass
class Changes:
    """The newest mark of every cluster. Viewers wait on `moved`."""

    marks: dict[int, Mark] = field(default_factory=dict)
    viewers: int = 0
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    reader: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Read all marks, once."""
        marks = await _marks()
        if marks != self.marks:
            self.marks = marks
            async with self.moved:
                self.moved.notify_all()

    async def _read(self) -> None:
        while True:
            try:
                await self.refresh()
            except DatabaseError as error:
                # Pages go on with their own slow poll meanwhile.
                logger.warning("the clusters' changes cannot be read: %s", error)
            await asyncio.sleep(POLL_SECONDS)


_known: dict[int, Changes] = {}


async def join() -> Changes:
    """The marks of this event loop, with a reader running. Pair it with leave()."""
    changes = _known.setdefault(id(asyncio.get_running_loop()), Changes())
    changes.viewers += 1
    if not changes.marks:
        changes.marks = await _marks()
    if changes.reader is None:
        changes.reader = asyncio.create_task(changes._read())
    return changes


def leave(changes: Changes) -> None:
    """A viewer has gone; the last one ends the reader."""
    changes.viewers -= 1
    if changes.viewers == 0:
        if changes.reader is not None:
            changes.reader.cancel()
            changes.reader = None
        for key, known in list(_known.items()):
            if known is changes:
                del _known[key]


@database_sync_to_async
def _marks() -> dict[int, Mark]:
    rows = Cluster.objects.order_by().values_list("id", "changes", "status")
    return {pk: (changes, status) for pk, changes, status in rows}
