"""The watcher process: takes clusters that nobody watches, and lets go of them at the end."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import socket
import threading
import time

from django.contrib.sessions.models import Session
from django.db import DatabaseError, connections
from django.utils import timezone

from clusters.inventory import lease
from clusters.inventory.attendance import Attendance
from clusters.inventory.imports import Imports
from clusters.inventory.timing import Timing

logger = logging.getLogger(__name__)

# Few at a time, so that watchers that start together share the fleet; and soon again while there
# are free ones, so that 150 clusters are watched within ten seconds.
CLAIMS_A_ROUND = 8
ROUND_SECONDS = 5.0
SOON_SECONDS = 0.5
CLEANING_SECONDS = 3600.0
# A watcher has thousands of threads that wait for sockets; each needs little.
STACK_BYTES = 256 * 1024
# mallopt(3), M_ARENA_MAX. By default threads share up to 8 arenas for each processor, and each
# keeps what its largest list once needed: twice as much memory in a watcher of many clusters.
ARENA_MAX, ARENAS = -8, 2
MOST_FILES = 65536
STOP_SECONDS = 8.0


def be_frugal() -> None:
    """Make this process fit for thousands of threads, each with a connection.

    Call it before the first one starts. The limit of open files is raised as far
    as the system allows: a usual one of 1024 would be reached by 60 clusters.
    """
    threading.stack_size(STACK_BYTES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:  # another C library has no arenas
        set_option(ARENA_MAX, ARENAS)


class Watcher:
    """Any number of these share a fleet; run() returns after stop()."""

    def __init__(self, timing: Timing | None = None, round_seconds: float = ROUND_SECONDS) -> None:
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._timing = timing or Timing()
        self._round_seconds = round_seconds
        self._ended = threading.Event()
        self._watched: dict[int, Attendance] = {}
        self._imports = Imports()

    def stop(self) -> None:
        """Ask run() to end; safe in a signal handler."""
        self._ended.set()

    def run(self) -> None:
        """Claim and watch until stop(); then give every lease back."""
        self._imports.start()
        cleaned = -CLEANING_SECONDS
        while not self._ended.is_set():
            more = False
            try:
                more = self._round()
                if time.monotonic() > cleaned + CLEANING_SECONDS:
                    cleaned = time.monotonic()
                    # Expired sessions are refused anyway; their rows would pile up.
                    Session.objects.filter(expire_date__lt=timezone.now()).delete()
            except DatabaseError as error:
                logger.warning("watcher: database: %s", error)
            finally:
                connections.close_all()
            self._ended.wait(
                min(SOON_SECONDS, self._round_seconds) if more else self._round_seconds
            )
        self._imports.stop()
        for attendance in self._watched.values():
            attendance.stop()
        for attendance in self._watched.values():
            attendance.join(STOP_SECONDS)
        self._imports.join(STOP_SECONDS)

    def _round(self) -> bool:
        """Claim some; whether there may be more."""
        self._watched = {pk: a for pk, a in self._watched.items() if a.is_alive()}
        claimed = lease.claim(self.holder, CLAIMS_A_ROUND, self._timing.lease)
        for taken in claimed:
            attendance = Attendance(taken, self._timing)
            self._watched[taken.cluster_id] = attendance
            attendance.start()
        return len(claimed) == CLAIMS_A_ROUND
