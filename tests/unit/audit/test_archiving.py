"""Old events leave the table with their proof, nothing is lost on the way, and lies are found."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from console.accounts.models import User
from console.audit import archiving, exporting, sealing, verifier, witness
from console.audit.archive_file import ArchiveError, events_of, path_of
from console.audit.archiving import archive, reach, round_of_archiving
from console.audit.models import Archive, ArchiveCheck, AuditEvent, Checkpoint, Leaf, Stream, Tree
from console.audit.record import record
from console.audit.signing import known_keys
from console.audit.tree import Hashes
from console.audit.verifying import verify
from tests.unit.audit.tampering import SIZE, found, tamper, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(admin: User, settings, tmp_path: Path) -> list[int]:
    """Numbers of 300 events in the tree, with checkpoints of 100, 200 and 300."""
    settings.AUDIT_ARCHIVE_DIR = tmp_path / "archives"
    return written(admin, " é😀")


def kept() -> list[str]:
    return list(
        AuditEvent.objects.filter(action="host.added")
        .order_by("pk")
        .values_list("object_name", flat=True)
    )


def outside(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The stand-alone verifier, in a process where no console is to be found."""
    command = [sys.executable, "-I", verifier.__file__, str(path), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=path.parent, check=False, timeout=60
    )


def key() -> str:
    return str(known_keys(Tree.objects.get())[0])


def test_what_is_archived_can_be_read_and_everything_stays_proved(log: list[int]) -> None:
    before = Hashes().root(SIZE)
    rows = archive(keep_events=100)
    assert [(row.start, row.end) for row in rows] == [(0, 200)]
    assert kept() == [f"h{n} é😀" for n in range(200, 300)]
    archived = list(events_of(path_of(rows[0])))
    assert [place for place, _event in archived] == list(range(200))
    assert [event["object_name"] for _place, event in archived] == [f"h{n} é😀" for n in range(200)]
    event = AuditEvent.objects.get(action="audit.archived")
    assert (event.object_name, event.after["sha256"]) == (rows[0].file, rows[0].sha256)
    assert Hashes().root(SIZE) == before
    report = verify()
    assert (report.findings, report.size, report.proved) == ([], SIZE, SIZE)
    assert verify(200).ok
    assert archive(keep_events=100) == []


def test_a_part_ends_at_a_checkpoint_and_the_next_begins_there(
    log: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "PART", 100)
    rows = archive(keep_events=0)
    assert [(row.start, row.end) for row in rows] == [(0, 100), (100, 200), (200, 300)]
    assert kept() == [] and verify().ok
    for row in rows:
        assert outside(path_of(row), "--key", key()).returncode == 0


def test_an_archive_is_verified_without_the_console(
    log: list[int], settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "points")
    witness.send_new()
    monkeypatch.setattr(archiving, "PART", 100)
    second = archive(keep_events=100)[1]
    points = ("--checkpoints", str(tmp_path / "points"))
    good = outside(path_of(second), "--key", key(), *points)
    assert (good.returncode, good.stderr) == (0, "")
    assert "From position 100 on" in good.stdout and "100 events are what" in good.stdout
    lines = gzip.decompress(path_of(second).read_bytes()).decode().splitlines(keepends=True)
    for altered in (
        [*lines[:5], lines[5].replace("h104", "h999"), *lines[6:]],
        [lines[0], *lines[2:]],
        [lines[0].replace('"start":100', '"start":101'), *lines[1:]],
        [lines[0].replace('"start":100', '"start":0'), *lines[1:]],
        lines[:-1],
    ):
        bad = tmp_path / "bad.jsonl.gz"
        bad.write_bytes(gzip.compress("".join(altered).encode()))
        assert outside(bad, "--key", key(), *points).returncode in (1, 2)


def test_the_rest_is_exported_and_verified_from_where_archives_end(
    log: list[int], tmp_path: Path
) -> None:
    archive(keep_events=100)
    file = tmp_path / "rest.jsonl"
    file.write_text("".join(exporting.lines(exporting.covered())))
    good = outside(file, "--key", key())
    assert (good.returncode, good.stderr) == (0, "") and "From position 200 on" in good.stdout


def test_age_counts_from_the_checkpoint(log: list[int]) -> None:
    old = timezone.now() - timedelta(days=40)
    tamper(f"UPDATE audit_checkpoint SET time = '{old:%Y-%m-%d %H:%M:%S+00:00}' WHERE size <= 100")
    assert reach(timedelta(days=41), None).size == 0
    assert reach(timedelta(days=30), None).size == 100
    assert reach(timedelta(days=30), 50).size == 200


def test_what_a_witness_or_a_receiver_has_not_stays(
    log: list[int], settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "points")
    told = reach(None, 0)
    assert (told.size, told.wanted) == (0, 300) and "points" in told.held_by
    witness.send_new()
    assert reach(None, 0).size == 300
    monkeypatch.setattr(archiving, "_needs", {})
    archiving.register_need("stream s", lambda: 250)
    assert (reach(None, 0).size, reach(None, 0).held_by) == (200, "stream s")
    archiving.register_need("stream s", lambda: None)
    assert reach(None, 0).size == 300


def test_what_a_stream_has_not_sent_stays(log: list[int]) -> None:
    stream = Stream.objects.create(
        name="siem", kind="webhook", address="https://example.com/", secret="whsec_x", position=250
    )
    assert (reach(None, 0).size, reach(None, 0).held_by) == (200, "streams")
    stream.delete()
    assert reach(None, 0).size == 300


def test_the_watcher_archives_where_a_rule_is_set(
    log: list[int], settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_of_archiving()
    assert not Archive.objects.exists()
    settings.AUDIT_KEEP_EVENTS = 200
    round_of_archiving()
    assert [row.end for row in Archive.objects.all()] == [100]
    settings.AUDIT_KEEP_EVENTS = 50
    round_of_archiving()  # few, and the last archive is young
    assert Archive.objects.count() == 1
    monkeypatch.setattr(archiving, "PART", 100)
    round_of_archiving()
    assert Archive.objects.count() == 2 and verify().ok


@pytest.mark.parametrize("change", ["reason = 'x'", "stamp = ''"])
def test_what_was_altered_is_not_sealed(log: list[int], change: str) -> None:
    tamper(f"UPDATE audit_auditevent SET {change} WHERE id = {log[50]}")
    with pytest.raises(ArchiveError, match=r"Position 50.*Nothing was removed"):
        archive(keep_events=100)
    assert len(kept()) == SIZE and not Archive.objects.exists()
    assert list(archiving._folder().iterdir()) == []


# The database refuses ---------------------------------------------------------------------------


def test_the_database_lets_go_only_of_what_is_archived(log: list[int]) -> None:
    archive(keep_events=200)
    for statement in (
        f"DELETE FROM audit_auditevent WHERE id = {log[100]}",
        "DELETE FROM audit_archive",
        "UPDATE audit_archive SET start = 5",
        "DELETE FROM audit_leaf WHERE position = 3",
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


# Whoever owns the database ----------------------------------------------------------------------


def row_of(start: int, end: int, signature: str = "AAAA") -> str:
    now = f"{timezone.now():%Y-%m-%d %H:%M:%S+00:00}"
    return (
        'INSERT INTO audit_archive (start, "end", first_time, last_time, file, bytes, sha256, '
        f"time, key, signature) VALUES ({start}, {end}, '{now}', '{now}', 'x.gz', 1, 'ab', "
        f"'{now}', '{key()}', '{signature}')"
    )


def test_a_forged_archive_hides_no_deletion(log: list[int], tmp_path: Path) -> None:
    # The triggers let it pass, and so it is for the verification to find.
    with connection.cursor() as cursor:
        cursor.execute(row_of(0, 2))
        cursor.execute(f"DELETE FROM audit_auditevent WHERE id IN ({log[0]}, {log[1]})")
    report = verify()
    assert found(report) == [("archive", 0), ("removed", 0), ("removed", 1)]
    assert "positions 0 to 1 (x.gz) is not signed" in report.findings[0].text
    file = tmp_path / "export.jsonl"
    file.write_text("".join(exporting.lines(exporting.covered())))
    assert outside(file, "--key", key()).returncode == 1


def test_a_signature_of_one_archive_is_not_one_of_another(log: list[int]) -> None:
    row = archive(keep_events=200)[0]
    tamper(
        'UPDATE audit_archive SET "end" = 150',
        f"DELETE FROM audit_auditevent WHERE id = {log[120]}",
    )
    assert found(verify())[:2] == [("archive", 0), ("removed", 0)]
    tamper(
        'UPDATE audit_archive SET "end" = 100',
        row_of(100, 150, row.signature),
    )
    assert found(verify()) == [("archive", 100), ("removed", 120)]


def test_an_archive_that_was_taken_from_the_database_is_missed(log: list[int]) -> None:
    archive(keep_events=200)
    tamper("DELETE FROM audit_archivecheck", "DELETE FROM audit_archive")
    assert ("removed", 0) in found(verify())


def test_a_lost_file_is_named_and_well_when_it_is_back(log: list[int], tmp_path: Path) -> None:
    row = archive(keep_events=200)[0]
    away = tmp_path / "away"
    path_of(row).rename(away)
    report = verify()
    assert found(report) == [("archive", 0)]
    assert row.file in report.findings[0].text and "put it back" in report.findings[0].text
    assert ArchiveCheck.objects.get().error == report.findings[0].text
    assert verify(200).ok  # what is new since
    away.rename(path_of(row))
    assert verify().ok and ArchiveCheck.objects.get().error == ""


def test_an_altered_file_is_named(log: list[int]) -> None:
    row = archive(keep_events=200)[0]
    path = path_of(row)
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("h50 ", "h51 ").encode()))
    report = verify()
    assert found(report) == [("archive", 0)]
    assert f"The archive {row.file} (positions 0 to 99) was altered" in report.findings[0].text


def test_a_leaf_of_an_archived_event_was_altered(log: list[int]) -> None:
    archive(keep_events=200)
    value = "'\\x" + "00" * 32 + "'" if connection.vendor == "postgresql" else "zeroblob(32)"
    tamper(f"UPDATE audit_leaf SET hash = {value} WHERE position = 7")
    report = verify()
    assert ("archive", 0) in found(report) and ("root", 0) in found(report)
    assert "different events at position 7" in report.findings[0].text


def test_an_archive_stays_good_when_its_key_has_gone(
    log: list[int], settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.secrets import rotation

    archive(keep_events=200)
    ring = rotation.key_ring().keys
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "ring"
    rotation.write_ring(ring)
    rotation.add_key()
    sealing.before_keys_go()
    rotation.write_ring(rotation.key_ring().keys[:1])
    assert verify().ok
    archive(keep_events=100)
    assert [row.start for row in Archive.objects.all()] == [100, 0] and verify().ok


# Whatever ends in between -----------------------------------------------------------------------


class PowerCutError(BaseException):
    """No handler of errors sees it."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["_write", "_read_back", "_put_in_place", "_remove", "record", "signer"]
)
def test_a_power_cut_at_any_step_loses_nothing(
    log: list[int], step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(archiving, step)

    def cut(*arguments: object, **named: object) -> object:
        if when == "after":
            real(*arguments, **named)
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(archiving, step, cut)
        with pytest.raises(PowerCutError):
            archive(keep_events=100)
    assert len(kept()) == SIZE and not Archive.objects.exists()
    assert not AuditEvent.objects.filter(action="audit.archived").exists()
    assert verify().ok
    archive(keep_events=100)
    assert len(kept()) == 100 and verify().ok
    assert AuditEvent.objects.filter(action="audit.archived").count() == 1
    assert [path.name for path in archiving._folder().iterdir()] == [Archive.objects.get().file]


@contextmanager
def no_room(folder: Path) -> Iterator[None]:
    """The folder lies on a disk of 4 KiB."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "flotilla-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT RUN: no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_removes_nothing_and_says_so_once(log: list[int], settings) -> None:
    settings.AUDIT_KEEP_EVENTS = 100
    with no_room(Path(settings.AUDIT_ARCHIVE_DIR)):
        with pytest.raises(ArchiveError, match=r"cannot be written to .*Nothing was removed"):
            archive(keep_events=100)
        round_of_archiving()
        round_of_archiving()
    assert len(kept()) == SIZE and list(archiving._folder().iterdir()) == []
    event = AuditEvent.objects.get(action="audit.archived")
    assert event.outcome == "failure" and "make room there" in event.reason
    assert archiving.last_failure() == event
    round_of_archiving()
    assert len(kept()) == 100 and archiving.last_failure() is None and verify().ok


def test_a_folder_that_cannot_be_is_said(log: list[int], settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.AUDIT_ARCHIVE_DIR = tmp_path / "file" / "archives"
    with pytest.raises(ArchiveError, match="set FLOTILLA_AUDIT_ARCHIVE_DIR"):
        archive(keep_events=100)
    assert len(kept()) == SIZE


def test_two_who_archive_make_one_archive(log: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    real = archiving._read_back

    def meanwhile(*arguments: object) -> None:
        monkeypatch.setattr(archiving, "_read_back", real)
        real(*arguments)
        archive(keep_events=100)

    monkeypatch.setattr(archiving, "_read_back", meanwhile)
    assert archive(keep_events=100) == []
    assert len(kept()) == 100 and Archive.objects.count() == 1 and verify().ok


def test_events_that_come_later_go_on_as_ever(log: list[int], admin: User) -> None:
    archive(keep_events=0)
    record("host.added", object_name="later", actor=admin)
    sealing.seal()
    point = sealing.checkpoint(force=True)
    assert point is not None and point.size == SIZE + 2
    assert Leaf.objects.count() == SIZE + 2 and kept() == ["later"]
    assert verify().ok and Checkpoint.objects.count() == 4
