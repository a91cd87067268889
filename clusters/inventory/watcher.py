"""The watcher process: takes clusters that nobody watches, and lets go of them at the end."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading

from django.contrib.sessions.models import Session
from django.db import DatabaseError, connections
from django.utils import timezone

from clusters.inventory import lease
from clusters.inventory.attendance import Attendance
from clusters.inventory.timing import Timing

logger = logging.getLogger(__name__)

# Few at a time, so that watchers that start together share the fleet.
CLAIMS_A_ROUND = 4
ROUND_SECONDS = 5.0
ROUNDS_BETWEEN_CLEANING = 720  # about an hour
STOP_SECONDS = 8.0


class Watcher:
    """Any number of these share a fleet; run() returns after stop()."""

    def __init__(self, timing: Timing | None = None, round_seconds: float = ROUND_SECONDS) -> None:
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._timing = timing or Timing()
        self._round_seconds = round_seconds
        self._ended = threading.Event()
        self._watched: dict[int, Attendance] = {}

    def stop(self) -> None:
        """Ask run() to end; safe in a signal handler."""
        self._ended.set()

    def run(self) -> None:
        """Claim and watch until stop(); then give every lease back."""
        for number in itertools.count():
            if self._ended.is_set():
                break
            try:
                self._round()
                if number % ROUNDS_BETWEEN_CLEANING == 0:
                    # Expired sessions are refused anyway; their rows would pile up.
                    Session.objects.filter(expire_date__lt=timezone.now()).delete()
            except DatabaseError as error:
                logger.warning("watcher: database: %s", error)
            finally:
                connections.close_all()
            self._ended.wait(self._round_seconds)
        for attendance in self._watched.values():
            attendance.stop()
        for attendance in self._watched.values():
            attendance.join(STOP_SECONDS)

    def _round(self) -> None:
        self._watched = {pk: a for pk, a in self._watched.items() if a.is_alive()}
        for taken in lease.claim(self.holder, CLAIMS_A_ROUND, self._timing.lease):
            attendance = Attendance(taken, self._timing)
            self._watched[taken.cluster_id] = attendance
            attendance.start()
