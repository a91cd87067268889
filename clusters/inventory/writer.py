"""The one writer of a cluster's rows: what all its reflectors saw, in few transactions."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from django.db import DatabaseError, connections

from clusters.inventory.backoff import Backoff
from clusters.inventory.lease import Lease, LeaseLost
from clusters.inventory.writing import Change, Source, write

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.1
MOST_ROWS = 500
# Rows that may wait. Beyond, reflectors wait, and their API servers with them (TCP flow control).
ROOM = 2000


class Writer(threading.Thread):
    """Writes for one cluster until stopped or the lease is lost."""

    def __init__(
        self,
        lease: Lease,
        *,
        gather: float = GATHER_SECONDS,
        most: int = MOST_ROWS,
        room: int = ROOM,
    ) -> None:
        super().__init__(name=f"writer-{lease.cluster_id}", daemon=True)
        self._lease = lease
        self._gather, self._most, self._room = gather, most, room
        self._changed = threading.Condition()
        self._waiting: deque[Change] = deque()
        self._weight = 0
        self._ended = False
        self._writing = False
        # Of a source whose changes were lost: the epoch up to which everything is void.
        self._void: dict[Source, int] = {}
        self._backoff = Backoff(0.2, 30.0)

    def put(self, change: Change) -> bool:
        """Hand over a change, waiting while there is no room; False when nobody writes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._weight < self._room)
            if self._ended:
                return False
            self._waiting.append(change)
            self._weight += change.weight
            self._changed.notify_all()
            return True

    def drain(self, seconds: float) -> None:
        """Return when all that has been handed over is written, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def stop(self) -> None:
        """End once what has been handed over is written."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def run(self) -> None:
        """Write batch after batch."""
        try:
            while batch := self._batch():
                self._write(batch)
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()
        except LeaseLost:
            logger.info("cluster %s: no longer written from here", self._lease.cluster_id)
        finally:
            self.stop()
            connections.close_all()

    def _batch(self) -> list[Change]:
        """What came within a moment; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            ends = time.monotonic() + self._gather
            while not self._ended and self._weight < self._most:
                if not self._changed.wait_for(
                    lambda: self._ended or self._weight >= self._most, ends - time.monotonic()
                ):
                    break
            batch: list[Change] = []
            weight = 0
            while self._waiting and (not batch or weight < self._most):
                change = self._waiting.popleft()
                weight += change.weight
                batch.append(change)
            self._weight -= weight
            self._writing = bool(batch)
            self._changed.notify_all()
            return batch

    def _write(self, batch: list[Change]) -> None:
        sound = [c for c in batch if c.epoch > self._void.get(c.source, -1)]
        if not sound:
            return
        try:
            write(self._lease, sound)
        except LeaseLost:
            raise
        except Exception as error:
            if isinstance(error, DatabaseError):
                logger.warning("cluster %s: database: %s", self._lease.cluster_id, error)
            else:  # a row that the database's driver does not take: the others go on
                logger.exception("cluster %s: cannot be written", self._lease.cluster_id)
            # What is lost now only a new list can put right.
            for change in sound:
                self._void[change.source] = max(change.epoch, self._void.get(change.source, -1))
            for source in {change.source for change in sound}:
                source.relist()
            time.sleep(self._backoff.next())
        else:
            self._backoff.reset()
        finally:
            connections.close_all()
