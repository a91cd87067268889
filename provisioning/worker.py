"""The worker process: claims tasks and runs each in a thread."""

from __future__ import annotations

import logging
import threading
import time

from django.db import connection

from provisioning.engine import run_task
from provisioning.lease import Lease, claim, worker_name
from provisioning.schedule import Clock

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.3
GIVE_BACK_SECONDS = 20


class Worker:
    """Up to `most` tasks of one queue at a time, until asked to stop."""

    def __init__(self, queue: str, most: int) -> None:
        self.queue, self.most = queue, most
        self.name = worker_name()
        self._stopping = threading.Event()
        self._running: dict[threading.Thread, Lease] = {}
        self._clock = Clock()

    def stop(self) -> None:
        """Take nothing new; hand running tasks over after the step they are in."""
        self._stopping.set()
        for lease in list(self._running.values()):
            lease.handing_over.set()

    def run(self, *, until_idle: bool = False) -> None:
        """Work until stop(), or until nothing is left to do."""
        while not self._stopping.is_set():
            self._clock.tick()
            self._running = {t: lease for t, lease in self._running.items() if t.is_alive()}
            if len(self._running) < self.most and self._take():
                continue
            if until_idle and not self._running:
                return
            self._stopping.wait(POLL_SECONDS)
        deadline = time.monotonic() + GIVE_BACK_SECONDS
        for thread in self._running:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _take(self) -> bool:
        try:
            task = claim(self.queue, self.name)
        except Exception:
            # The database is away: say it once each time and try again.
            logger.exception("cannot ask for tasks")
            connection.close()
            self._stopping.wait(2)
            return False
        if task is None:
            return False
        lease = Lease(task)
        thread = threading.Thread(
            target=run_task, args=(task, lease), name=f"task-{task.pk}", daemon=True
        )
        self._running[thread] = lease
        thread.start()
        return True
