"""A real disk that is full: nothing is changed unrecorded, people are told why, and it goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test import Client

from console.accounts import sessions
from console.accounts.models import User
from console.audit import sealing, verifier, witness
from console.audit.models import AuditEvent, Checkpoint, Pending, Witness
from console.audit.record import record
from console.audit.verifying import verify
from tests.conftest import signed_in, with_token
from tests.unit.audit.tampering import guard

PASSWORD = "correct-horse-battery-9"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can mount a small disk: run this test as root"
    ),
]
on_sqlite = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3",
    reason="PostgreSQL keeps its files where this test cannot mount a small disk",
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "flotilla-test", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield place
    connection.close()
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def there(disk: Path, admin: User) -> Iterator[Path]:
    """The tests' database, moved to the small disk, with its triggers."""
    admin.set_password(PASSWORD)
    admin.save()
    usual, file = connection.settings_dict["NAME"], disk / "console.sqlite3"
    connection.close()
    source, target = sqlite3.connect(usual), sqlite3.connect(file)
    source.backup(target)
    target.execute("PRAGMA journal_mode=WAL")
    source.close()
    target.close()
    connection.settings_dict["NAME"] = str(file)
    guard(connection)
    yield disk
    connection.close()
    connection.settings_dict["NAME"] = usual


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        try:
            while out.write(b"\0" * 65536):
                pass
        except OSError:
            pass
    return ballast


def until_full(change) -> None:
    """Pages that a database file has to spare take some changes yet."""
    for number in range(2000):
        if change(number).status_code >= 500:
            return
    raise AssertionError("the disk never got full")


@on_sqlite
def test_changes_are_refused_with_the_reason_and_go_on_when_there_is_space(
    there: Path, admin: User, client: Client
) -> None:
    page, api = signed_in(admin), with_token(admin)
    for one in (page, api, client):
        one.raise_request_exception = False
    ballast = fill(there)
    names: list[str] = []

    def change(number: int):
        names.append(f"team-{number}")
        return page.post("/settings/groups/create/", {"name": names[-1]})

    until_full(change)
    refused = change(5000)
    text = refused.content.decode()
    assert refused.status_code == 503
    assert "disk" in text and "full" in text and "Nothing was changed" in text
    assert refused["X-Request-ID"] in text
    answer = api.post("/api/v1/hosts/", {"name": "h", "address": "10.0.0.1"}, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert "full" in answer.json()["detail"] and answer.json()["type"] == "about:blank"
    # Nobody comes in unrecorded, and who is in can still look.
    sent = {"username": "ada", "password": PASSWORD}
    assert client.post("/sign-in/", sent).status_code == 503
    assert "sessionid" not in client.cookies
    assert page.get("/hosts/").status_code == 200
    assert api.get("/api/v1/hosts/").status_code == 200
    told = {event.object_name for event in AuditEvent.objects.filter(action="group.created")}
    assert told == set(Group.objects.values_list("name", flat=True)) < set(names)
    # No restart: the same process goes on.
    ballast.unlink()
    assert page.post("/settings/groups/create/", {"name": "after"}).status_code == 302
    assert client.post("/sign-in/", sent).status_code == 302
    sealing.round_of_sealing()
    assert verify().findings == [] and not Pending.objects.exists()


@on_sqlite
def test_who_is_signed_in_looks_on_although_the_session_cannot_be_renewed(
    there: Path, admin: User
) -> None:
    page = signed_in(admin)
    session = page.session
    session[sessions.SEEN] -= 2 * sessions.RENEW_SECONDS
    session.save()
    page.raise_request_exception = False
    fill(there)
    until_full(lambda n: page.post("/settings/groups/create/", {"name": f"g{n}"}))
    assert page.get("/hosts/").status_code == 200


@on_sqlite
def test_sealing_goes_on_where_it_stopped(there: Path, admin: User) -> None:
    for number in range(300):
        record("host.added", object_name=str(number), actor=admin)
    ballast = fill(there)
    with pytest.raises(OperationalError, match="full"):
        for _turn in range(50):
            sealing.round_of_sealing()
            record("host.added", object_name="x" * 200, actor=admin, reason="y" * 4000)
    ballast.unlink()
    sealing.round_of_sealing()
    sealing.checkpoint(force=True)
    assert verify().findings == [] and not Pending.objects.exists()


def test_checkpoints_wait_for_space_on_the_disk_of_their_file(
    disk: Path, admin: User, settings
) -> None:
    file = disk / "checkpoints"
    settings.AUDIT_CHECKPOINT_FILE = str(file)

    def more(count: int) -> None:
        for _turn in range(count):
            record("host.added", actor=admin)
            sealing.seal()
            sealing.checkpoint(force=True)
            witness.send_new()

    more(3)
    ballast = fill(disk)
    more(40)
    assert "No space left" in Witness.objects.get().error
    assert Witness.objects.get().size < Checkpoint.objects.first().size
    ballast.unlink()
    more(1)
    assert Witness.objects.get().error == ""
    kept = [note.size for note in verifier.witnessed(file.read_text(errors="replace"))]
    sizes = list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
    assert sorted(set(kept)) == sizes
