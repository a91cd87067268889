"""Who may work on a task: claims, heartbeats, and writes that carry the fencing number.

A claim takes the next fencing number in the same transaction that takes the
task. Every later write of that worker names the number; once somebody else has
claimed the task no row matches any more and LeaseLost is raised.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection, models, transaction
from django.utils import timezone

from provisioning.models import Task, TaskStatus

logger = logging.getLogger(__name__)

# SQLite has one writer at a time; waiting in line here is cheaper than its busy handler,
# which sleeps. Reentrant, because a fenced write may enclose another.
write_lock = threading.RLock()
PATIENCE_SECONDS = 600


class LeaseLost(Exception):
    """Another worker has this task now: stop, touch nothing."""


def _process_start(pid: int) -> str:
    # Field 22 of /proc/<pid>/stat; the name in parentheses may hold blanks (proc(5)).
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def worker_name() -> str:
    """This process, so that another on the same machine can tell that it is gone."""
    return f"{socket.gethostname()}:{os.getpid()}:{_process_start(os.getpid())}"


def is_gone(worker: str) -> bool:
    """Whether a worker certainly runs no more: same machine, process ended.

    False where that cannot be known: then only the lease's end decides.
    """
    machine, _, rest = worker.rpartition(":")[0].rpartition(":")
    if machine != socket.gethostname() or not rest.isdigit():
        return False
    try:
        return _process_start(int(rest)) != worker.rpartition(":")[2]
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, IndexError):
        return False


def claim(queue: str, worker: str) -> Task | None:
    """Take the oldest task that is queued or whose worker is gone; None when there is none."""
    now = timezone.now()
    waiting = models.Q(status=TaskStatus.QUEUED)
    running = models.Q(status=TaskStatus.RUNNING)
    candidates = Task.objects.filter(waiting | running, queue=queue).order_by("id")
    for task in candidates.only("id", "status", "worker", "lease_until"):
        stale = task.lease_until is None or task.lease_until < now
        if task.status == TaskStatus.QUEUED or stale or is_gone(task.worker):
            taken = _take(task, worker)
            if taken is not None:
                return taken
    return None


def _take(seen: Task, worker: str) -> Task | None:
    with write_lock, transaction.atomic():
        # One number for all tasks, so that a host can compare any two claims.
        newest = Task.objects.aggregate(n=models.Max("fence"))["n"] or 0
        now = timezone.now()
        hit = Task.objects.filter(
            pk=seen.pk, status=seen.status, worker=seen.worker, lease_until=seen.lease_until
        ).update(
            status=TaskStatus.RUNNING,
            worker=worker,
            lease_until=now + timedelta(seconds=settings.TASK_LEASE_SECONDS),
            fence=newest + 1,
            attempt=models.F("attempt") + 1,
        )
        if hit != 1:
            return None
        Task.objects.filter(pk=seen.pk, started=None).update(started=now)
        return Task.objects.select_related("cluster", "created_by").get(pk=seen.pk)


def begin_patiently(stack: ExitStack, lost: threading.Event | None = None) -> None:
    """Open a transaction in the stack; asks again while the database is locked or away.

    Raises OperationalError after PATIENCE_SECONDS, or once `lost` is set.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    lost = lost or threading.Event()
    while True:
        try:
            stack.enter_context(transaction.atomic())
        except OperationalError as error:
            if connection.in_atomic_block or time.monotonic() > give_up or lost.wait(0.5):
                raise
            logger.warning("the database keeps a write waiting: %s", error)
            connection.close()
        else:
            return


class Lease:
    """A claimed task's right to act, renewed by a thread of its own.

    lost is set when another worker has the task; canceled when a person asked
    for it to stop; handing_over when this process is asked to end.
    """

    def __init__(self, task: Task) -> None:
        self.task_id, self.fence = task.pk, task.fence
        self.lost = threading.Event()
        self.canceled = threading.Event()
        self.stop = threading.Event()  # set together with either of the two
        self.handing_over = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{task.pk}", daemon=True)

    def start(self) -> None:
        """Begin the heartbeat."""
        self._thread.start()

    def end(self) -> None:
        """End the heartbeat."""
        self._ended.set()
        self._thread.join(timeout=10)

    def rows(self) -> models.QuerySet[Task]:
        """The task's row, if it is still ours."""
        return Task.objects.filter(pk=self.task_id, fence=self.fence)

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction that only commits while the task is ours. Raises LeaseLost.

        While another process holds the database it waits: what a step has done on a
        host is not to be forgotten because of that.
        """
        with write_lock, ExitStack() as stack:
            begin_patiently(stack, self.lost)
            until = timezone.now() + timedelta(seconds=settings.TASK_LEASE_SECONDS)
            # Also a lock on the row (PostgreSQL): nobody claims it in between.
            if self.rows().filter(status=TaskStatus.RUNNING).update(lease_until=until) != 1:
                self.mark_lost()
                raise LeaseLost
            yield

    def mark_lost(self) -> None:
        """Somebody else has the task: everything of ours stops."""
        self.lost.set()
        self.stop.set()

    def _beat(self) -> None:
        interval = min(1.0, settings.TASK_LEASE_SECONDS / 5)
        renew_every = max(1, int(settings.TASK_LEASE_SECONDS / 3 / interval))
        beats = 0
        try:
            while not self._ended.wait(interval):
                beats += 1
                try:
                    if beats % renew_every == 0:
                        with self.write():
                            pass
                    row = self.rows().values("cancel_requested").first()
                except LeaseLost:
                    return
                except Exception as error:
                    # The database is away or locked: the lease runs on, the next beat tries again.
                    logger.warning("task %s: no heartbeat: %s", self.task_id, error)
                    connection.close()
                    continue
                if row is None:
                    self.mark_lost()
                    return
                if row["cancel_requested"] and not self.canceled.is_set():
                    self.canceled.set()
                    self.stop.set()
        finally:
            connection.close()
