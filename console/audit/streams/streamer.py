"""A thread of the watcher process that sends to every stream, each in a thread of its own.

So a receiver that hangs keeps neither the others waiting nor the events from their places.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connections

from console.audit.streams import sending
from console.audit.streams.sending import Claimed

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
STOP_SECONDS = 5.0


class Streamer(threading.Thread):
    """Looks for streams that have something to send, until stop()."""

    def __init__(self, look_seconds: float = LOOK_SECONDS) -> None:
        super().__init__(name="audit-streams", daemon=True)
        self._look_seconds = look_seconds
        self._ended = threading.Event()

    def stop(self) -> None:
        """End after the batches that are under way."""
        self._ended.set()

    def run(self) -> None:
        """Claim and send."""
        senders: list[threading.Thread] = []
        while not self._ended.is_set():
            claimed = self._claim()
            if claimed is None:
                self._ended.wait(self._look_seconds)
                continue
            # No more of them than streams: each is claimed once at a time.
            name = f"audit-stream-{claimed.stream.pk}"
            sender = threading.Thread(target=self._send, args=(claimed,), name=name, daemon=True)
            sender.start()
            senders = [one for one in senders if one.is_alive()] + [sender]
        for sender in senders:
            sender.join(STOP_SECONDS)

    def _claim(self) -> Claimed | None:
        try:
            return sending.claim()
        except DatabaseError as error:
            logger.warning("audit: streams: database: %s", error)
            return None
        finally:
            connections.close_all()

    def _send(self, claimed: Claimed) -> None:
        try:
            sending.send(claimed, self._ended.is_set)
        except DatabaseError as error:
            # The claim runs out and the same is sent again.
            logger.warning("audit: streams: database: %s", error)
        except Exception:
            logger.exception("audit: the stream %s", claimed.stream)
        finally:
            connections.close_all()
