"""Somebody else holds the database's write lock: tasks wait, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection, connections

from provisioning import logs, operations
from provisioning.engine import run_task
from provisioning.lease import Lease, claim
from provisioning.models import Task, TaskStatus
from provisioning.run import TaskRun
from provisioning.worker import Worker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3",
        reason="only SQLite has one lock for the whole database",
    ),
]

# Another process, as a backup or a person with a database shell is.
HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""


@contextmanager
def locked(seconds: float) -> Iterator[None]:
    """Another process holds the write lock from now on for so long, or to the block's end."""
    path = connection.settings_dict["NAME"]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.wait(60)
        holder.stdout.close()


@pytest.fixture
def impatient() -> Iterator[None]:
    """Connections wait 0.3 s for a lock instead of 20, so that a short lock is a long one."""
    options = connections.settings["default"]["OPTIONS"]
    saved = options["timeout"]
    options["timeout"] = 0.3
    connections.close_all()
    yield
    options["timeout"] = saved
    connections.close_all()


@pytest.fixture
def writing() -> Iterator[None]:
    """An operation of five steps, each of which writes a hundred lines in half a second."""

    @operations.operation(
        "write_lines", title="Write", steps=[(f"part{n}", f"Part {n}") for n in range(5)]
    )
    def run(run: TaskRun) -> None:
        for number in range(5):
            with run.step(f"part{number}") as row:
                for line in range(100 if row is not None else 0):
                    run.log(f"{number * 100 + line}")
                    time.sleep(0.005)

    yield
    del operations.OPERATIONS["write_lines"]


def numbers(task: Task) -> list[int]:
    lines = logs.read(task.pk, limit=10**6)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    return [int(line["text"]) for line in lines if line["text"].isdigit()]


def finished(task: Task) -> None:
    task.refresh_from_db()
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    assert [row.status for row in task.steps.all()] == ["changed"] * 5
    assert numbers(task) == list(range(500))


def lock_in_mid_run(seconds: float) -> Task:
    """Run a task whose database is locked for so long after its first lines."""
    launched = operations.launch("write_lines", title="Write", user=None)
    worker = Worker("default", 1)
    thread = threading.Thread(target=worker.run, kwargs={"until_idle": True})
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while Task.objects.get(pk=launched.pk).last_seq < 50:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with locked(seconds):
            held = Task.objects.get(pk=launched.pk).last_seq
            time.sleep(seconds * 0.8)
            # Reading goes on meanwhile, and what is there stays.
            assert Task.objects.get(pk=launched.pk).last_seq == held
            assert logs.read(launched.pk, limit=10**6)[-1]["seq"] == held
    finally:
        thread.join(60)
    return launched


def test_a_lock_of_some_seconds_only_delays(writing: None) -> None:
    finished(lock_in_mid_run(6))


def test_a_lock_beyond_every_patience_loses_nothing(writing: None, impatient: None) -> None:
    finished(lock_in_mid_run(4))


def test_a_worker_that_cannot_claim_asks_again(writing: None, impatient: None) -> None:
    task = operations.launch("write_lines", title="Write", user=None)
    worker = Worker("default", 1)
    thread = threading.Thread(target=worker.run)
    with locked(3):
        thread.start()
        time.sleep(2)
        assert Task.objects.get(pk=task.pk).status == TaskStatus.QUEUED
    deadline = time.monotonic() + 30
    while Task.objects.get(pk=task.pk).status != TaskStatus.SUCCEEDED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker.stop()
    thread.join(30)
    finished(task)


def test_the_lease_survives_a_lock_shorter_than_itself(writing: None, impatient: None) -> None:
    task = operations.launch("write_lines", title="Write", user=None)
    claimed = claim("default", "here:1:1")
    assert claimed is not None
    lease = Lease(claimed)
    with locked(3):
        thread = threading.Thread(target=run_task, args=(claimed, lease))
        thread.start()
        time.sleep(2.5)
        assert not lease.lost.is_set()
        assert claim("default", "there:2:2") is None
    thread.join(60)
    finished(task)
