"""A task belongs to one worker at a time, and one that lost it can do nothing more."""

from __future__ import annotations

import subprocess
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from provisioning.lease import Lease, LeaseLost, _process_start, claim, is_gone, worker_name
from provisioning.models import Task, TaskStatus
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_many_workers_and_one_task_have_one_winner() -> None:
    TaskFactory()
    winners: list[Task] = []

    def go(name: str) -> None:
        task = claim("default", name)
        if task is not None:
            winners.append(task)
        connection.close()

    threads = [threading.Thread(target=go, args=(f"other:{n}:1",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1


def test_each_claim_gets_a_larger_fencing_number_than_any_before() -> None:
    numbers = []
    for _ in range(3):
        TaskFactory()
        task = claim("default", "other:1:1")
        assert task is not None
        numbers.append(task.fence)
    assert numbers == sorted(set(numbers))


def test_a_queue_is_only_served_by_its_own_workers() -> None:
    TaskFactory(queue="lab")
    assert claim("default", "w") is None
    assert claim("lab", "w") is not None


def test_a_running_task_is_taken_over_only_once_its_lease_has_ended() -> None:
    TaskFactory()
    first = claim("default", "other:1:1")
    assert first is not None
    assert claim("default", "another:2:2") is None
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    second = claim("default", "another:2:2")
    assert second is not None and second.fence > first.fence and second.attempt == 2


def test_the_task_of_a_process_that_was_killed_is_taken_over_at_once() -> None:
    TaskFactory()
    process = subprocess.Popen(["sleep", "60"])
    name = worker_name().split(":")[0]
    worker = f"{name}:{process.pid}:{_process_start(process.pid)}"
    assert claim("default", worker) is not None
    assert not is_gone(worker)
    assert claim("default", "x") is None
    process.kill()
    process.wait()
    assert is_gone(worker)
    assert claim("default", "x") is not None


def test_a_reused_process_number_is_not_the_old_worker() -> None:
    name, pid, start = worker_name().rsplit(":", 2)
    assert not is_gone(f"{name}:{pid}:{start}")
    assert is_gone(f"{name}:{pid}:{int(start) - 1}")


def test_a_worker_of_another_machine_is_only_judged_by_its_lease() -> None:
    assert not is_gone("elsewhere:1:1")


def test_a_stale_worker_can_write_nothing() -> None:
    TaskFactory(title="before")
    task = claim("default", "one:1:1")
    assert task is not None
    lease = Lease(task)
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim("default", "two:1:1") is not None
    with pytest.raises(LeaseLost), lease.write():
        Task.objects.update(title="by the stale worker")
    assert Task.objects.get().title == "before"
    assert lease.lost.is_set() and lease.stop.is_set()


def test_the_heartbeat_keeps_the_lease_and_sees_a_cancel(settings: object) -> None:
    settings.TASK_LEASE_SECONDS = 2  # type: ignore[attr-defined]
    TaskFactory()
    task = claim("default", "one:1:1")
    assert task is not None
    lease = Lease(task)
    lease.start()
    try:
        time.sleep(3)
        assert claim("default", "two:1:1") is None
        Task.objects.update(cancel_requested=timezone.now())
        assert lease.canceled.wait(3)
        assert Task.objects.get().status == TaskStatus.RUNNING
    finally:
        lease.end()
