"""Looks again and again at what is true in SQL: a thread of the watcher process.

Apps register what is to be looked at. A look says what holds and what is over by
console.notices.telling, which is the same however often and by however many it is said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connections
from django.utils import timezone

from console.notices import expiry
from console.notices.catalogue import KINDS
from console.notices.models import Delivery, Notice
from console.notices.models_deliveries import COMING

logger = logging.getLogger(__name__)

HOUR = 3600.0
KEPT = timedelta(days=90)


@dataclass
class Look:
    """One function and how often it is called."""

    call: Callable[[], None]
    seconds: float
    due: float = 0.0


_looks: list[tuple[Callable[[], None], float]] = []


def register(call: Callable[[], None], seconds: float) -> None:
    """Have a function called every so many seconds in each watcher process."""
    if all(known is not call for known, _seconds in _looks):
        _looks.append((call, seconds))


def forget_old() -> None:
    """Remove notices that were over, or only happened, 90 days ago, and their deliveries."""
    old = timezone.now() - KEPT
    Delivery.objects.filter(created__lt=old).exclude(state__in=COMING).delete()
    Notice.objects.filter(occurred__lt=old).exclude(pk__in=_still_open()).delete()


def _still_open() -> list[int]:
    lasting = [name for name, kind in KINDS.items() if kind.lasting]
    return list(Notice.objects.filter(kind__in=lasting, resolved=None).values_list("pk", flat=True))


class Rounds(threading.Thread):
    """Calls what was registered, each at its own pace, until stop()."""

    def __init__(self, step_seconds: float = 1.0) -> None:
        super().__init__(name="notices-rounds", daemon=True)
        self._step_seconds = step_seconds
        self._ended = threading.Event()
        own = [(expiry.scan, HOUR), (forget_old, 24 * HOUR)]
        self._looks = [Look(call, seconds) for call, seconds in [*_looks, *own]]

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def run(self) -> None:
        """Look, wait, look again."""
        while not self._ended.is_set():
            for look in self._looks:
                if look.due <= time.monotonic() and not self._ended.is_set():
                    self._call(look)
                    look.due = time.monotonic() + look.seconds
            self._ended.wait(self._step_seconds)

    def _call(self, look: Look) -> None:
        try:
            look.call()
        except DatabaseError as error:
            logger.warning("notices: database: %s", error)
        except Exception:
            # One look that fails must not end the others.
            logger.exception("notices: %s", look.call.__qualname__)
        finally:
            connections.close_all()
