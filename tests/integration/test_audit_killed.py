"""Real processes that write and seal events, killed at any moment: one order, no gap, no half."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from console.audit import sealing, triggers
from console.audit.models import AuditEvent, Leaf, Pending
from console.audit.verifying import verify
from tests.unit.audit.tampering import guard, sql

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

START = """
import itertools, sys
import django
django.setup()
from django.contrib.auth.models import Group
from django.db import transaction
from console.audit import sealing
from console.audit.record import record
print("up", flush=True)
sys.stdin.readline()
"""
WRITE = """
for number in range(int(sys.argv[2])):
    with transaction.atomic():
        group = Group.objects.create(name=f"{sys.argv[1]}-{number}")
        record("group.created", group, after={"text": "x" * 500})
"""
SEAL = """
for _number in itertools.count():
    sealing.seal()
    sealing.checkpoint(force=True)
"""


def address() -> str:
    """The tests' database, as a process of its own is told it."""
    has = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{has['NAME']}"
    who = f"{quote(has['USER'])}:{quote(has['PASSWORD'])}" if has["PASSWORD"] else has["USER"]
    return f"postgres://{who}@{has['HOST']}:{has['PORT'] or 5432}/{has['NAME']}"


def process(program: str, *arguments: object) -> subprocess.Popen[str]:
    """One that is up and begins when a line comes."""
    settings = os.environ["DJANGO_SETTINGS_MODULE"]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", START + program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DATABASE_URL": address(), "DJANGO_SETTINGS_MODULE": settings},
    )


def begin(processes: list[subprocess.Popen[str]]) -> None:
    """All of them at once."""
    for one in processes:
        assert one.stdout is not None and one.stdout.readline() == "up\n"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()


def kill(processes: list[subprocess.Popen[str]]) -> None:
    for one in processes:
        one.send_signal(signal.SIGKILL)
    for one in processes:
        one.wait(60)
        for pipe in (one.stdin, one.stdout):
            if pipe is not None:
                pipe.close()


def in_order() -> None:
    """Each change has its event and the other way round, in one order, and nothing is found."""
    sealing.seal()
    sealing.checkpoint(force=True)
    events = list(AuditEvent.objects.order_by("pk"))
    assert sorted(e.object_name for e in events) == sorted(
        Group.objects.values_list("name", flat=True)
    )
    assert list(Leaf.objects.order_by("position").values_list("position", flat=True)) == list(
        range(len(events))
    )
    assert set(Leaf.objects.values_list("event_id", flat=True)) == {e.pk for e in events}
    assert not Pending.objects.exists() and verify().findings == []


@pytest.fixture
def guarded(transactional_db: None) -> Iterator[None]:
    """The triggers, for as long as the test runs."""
    guard(connection)
    yield
    sql(triggers.removals(connection))


def test_killed_while_writing_and_while_sealing(guarded: None) -> None:
    chance = random.Random(6)
    for turn in range(4):
        writers = [process(WRITE, f"{turn}-{n}", 10**6) for n in range(2)]
        sealer = process(SEAL)
        begin([*writers, sealer])
        time.sleep(chance.uniform(0.2, 1.5))
        kill([sealer])
        time.sleep(chance.uniform(0, 0.3))
        kill(writers)
        in_order()
    assert AuditEvent.objects.count() > 20


def test_two_hundred_at_once_from_four_processes(guarded: None) -> None:
    writers = [process(WRITE, n, 50) for n in range(4)]
    sealers = [process(SEAL) for _n in range(2)]
    begin([*writers, *sealers])
    for one in writers:
        assert one.wait(200) == 0
    kill([*writers, *sealers])
    assert AuditEvent.objects.count() == 200
    in_order()
