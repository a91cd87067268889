"""One reader of a task's log for all its viewers in this process.

While somebody watches, the reader asks the database for what is new a few times
a second (at once when a wake-up comes) and hands every viewer the same finished
text. A viewer that is behind reads by itself until it has caught up, so nothing
is lost, doubled or out of order whatever happens to wake-ups or the network.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from channels.db import database_sync_to_async

from provisioning import logs
from provisioning.models import ENDED, Task

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Batch:
    """Lines after..last as one finished text frame."""

    after: int
    last: int
    text: str


@dataclass
class Tail:
    """What is newest of one task. Viewers wait on `changed`."""

    task_id: int
    last: int = 0
    status: str = ""
    ended: bool = False
    gone: bool = False
    batch: Batch | None = None
    viewers: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    reader: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Read what is new, once."""
        state = await _state(self.task_id)
        if state is None:
            self.gone = True
        else:
            last, status = state
            if last > self.last:
                after = self.last
                text, reached = await frame_after(self.task_id, after)
                self.batch = Batch(after, reached, text)
                self.last = reached
            # Ended only counts once the last line has been read too.
            self.status, self.ended = status, status in ENDED and self.last >= last

    async def _read(self) -> None:
        while True:
            before = (self.last, self.status, self.ended, self.gone)
            await self.refresh()
            if before != (self.last, self.status, self.ended, self.gone):
                async with self.changed:
                    self.changed.notify_all()
            await asyncio.sleep(POLL_SECONDS)


_tails: dict[tuple[int, int], Tail] = {}


async def join(task_id: int) -> Tail:
    """The tail of a task, with a reader running. Pair it with leave()."""
    key = (id(asyncio.get_running_loop()), task_id)
    tail = _tails.get(key)
    if tail is None:
        tail = _tails[key] = Tail(task_id)
    tail.viewers += 1
    if tail.reader is None:
        state = await _state(task_id)
        if state is not None and not tail.last:
            # Begin at the end: a viewer that wants more reads it by itself.
            tail.last, tail.status = state
            tail.ended = tail.status in ENDED
        if tail.reader is None:
            tail.reader = asyncio.create_task(tail._read())
    return tail


def leave(tail: Tail) -> None:
    """A viewer has gone; the last one ends the reader."""
    tail.viewers -= 1
    if tail.viewers == 0:
        if tail.reader is not None:
            tail.reader.cancel()
            tail.reader = None
        for key, known in list(_tails.items()):
            if known is tail:
                del _tails[key]


@database_sync_to_async
def _state(task_id: int) -> tuple[int, str] | None:
    return Task.objects.filter(pk=task_id).values_list("last_seq", "status").first()


@database_sync_to_async
def frame_after(task_id: int, after: int) -> tuple[str, int]:
    """A text frame {"lines":[...]} with what comes after a line, and the last line's number."""
    bodies, last = logs.bodies_after(task_id, after)
    return '{"lines":[' + ",".join(bodies) + "]}", last
