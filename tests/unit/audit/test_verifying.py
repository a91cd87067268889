"""Each way to alter the record, done by SQL, is found and named, with the place."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from console.accounts.models import User
from console.audit import sealing, verifying, witness
from console.audit.canonical import plain
from console.audit.models import AuditEvent, Checkpoint, Leaf, Pending, Tree
from console.audit.record import record
from console.audit.verifier import content, leaf_hash, witnessed
from console.audit.verifying import verify
from tests.unit.audit.tampering import SIZE, found, guard, tamper, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(admin: User) -> list[int]:
    """Numbers of 300 events in the tree, with checkpoints of 100, 200 and 300."""
    return written(admin)


def binary(value: bytes) -> str:
    return f"'\\x{value.hex()}'" if connection.vendor == "postgresql" else f"X'{value.hex()}'"


def rehashed(number: int) -> str:
    """SQL that makes the leaf fit the event as it is now."""
    event = AuditEvent.objects.get(pk=number)
    value = binary(leaf_hash(content(plain(event))))
    return f"UPDATE audit_leaf SET hash = {value} WHERE event_id = {number}"


def test_what_nobody_altered_is_well(log: list[int], admin: User) -> None:
    record("host.added", actor=admin)
    report = verify()
    assert report.ok and (report.size, report.proved, report.start) == (SIZE, SIZE, 0)
    assert verify(200).start == 200 and verify(200).ok


def test_places_given_while_it_is_verified_are_no_finding(
    log: list[int], admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "BATCH", 100)

    def meanwhile(_done: int) -> None:
        record("host.added", actor=admin)
        sealing.seal()
        sealing.checkpoint(force=True)

    assert verify(progress=meanwhile).findings == []
    tamper("UPDATE audit_tree SET size = size + 1")
    assert found(verify()) == [("size", None)]


@pytest.mark.parametrize(
    "change", ["reason = 'x'", "actor_name = 'eve'", "time = '2020-01-01 00:00:00+00:00'"]
)
def test_an_event_was_edited(log: list[int], change: str) -> None:
    tamper(f"UPDATE audit_auditevent SET {change} WHERE id = {log[150]}")
    report = verify()
    assert found(report) == [("altered", 150)]
    assert report.findings[0].text == f"Position 150: event {log[150]} was altered."


def test_an_event_and_its_leaf_were_edited(log: list[int]) -> None:
    tamper(f"UPDATE audit_auditevent SET actor_name = 'eve' WHERE id = {log[150]}")
    tamper(rehashed(log[150]))
    report = verify()
    assert ("forged", 150) in found(report) and ("root", 100) in found(report)
    assert "Positions 100 to 199" in str([f.text for f in report.findings])


def test_an_event_was_deleted(log: list[int]) -> None:
    tamper(f"DELETE FROM audit_auditevent WHERE id = {log[7]}")
    assert found(verify()) == [("removed", 7)]


def test_an_event_was_deleted_with_its_leaf(log: list[int]) -> None:
    tamper(
        f"DELETE FROM audit_auditevent WHERE id = {log[7]}",
        f"DELETE FROM audit_leaf WHERE event_id = {log[7]}",
    )
    kinds = found(verify())
    assert ("removed", 7) in kinds and ("root", 0) in kinds


def test_two_events_changed_places(log: list[int]) -> None:
    tamper(
        "UPDATE audit_leaf SET event_id = -1 WHERE position = 3",
        f"UPDATE audit_leaf SET event_id = {log[3]} WHERE position = 4",
        f"UPDATE audit_leaf SET event_id = {log[4]} WHERE position = 3",
    )
    report = verify()
    assert found(report) == [("reordered", 3), ("reordered", 4)]
    assert "the order was altered" in report.findings[0].text


def test_two_leaves_changed_places_with_their_events(log: list[int]) -> None:
    tamper(
        "UPDATE audit_leaf SET position = -1 WHERE position = 3",
        "UPDATE audit_leaf SET position = 3 WHERE position = 4",
        "UPDATE audit_leaf SET position = 4 WHERE position = -1",
    )
    assert ("root", 0) in found(verify())


def test_the_end_was_cut_off(log: list[int]) -> None:
    tamper(
        "DELETE FROM audit_leaf WHERE position >= 250",
        f"DELETE FROM audit_auditevent WHERE id >= {log[250]}",
        "UPDATE audit_tree SET size = 250",
    )
    report = verify()
    assert ("truncated", 250) in found(report)
    assert "The log ends at 250 events" in str([f.text for f in report.findings])


def test_the_end_was_cut_off_with_its_checkpoint(log: list[int], settings, tmp_path: Path) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "points")
    witness.send_new()
    tamper(
        "DELETE FROM audit_leaf WHERE position >= 200",
        f"DELETE FROM audit_auditevent WHERE id >= {log[200]}",
        "DELETE FROM audit_checkpoint WHERE size > 200",
        "UPDATE audit_tree SET size = 200",
    )
    assert verify().ok  # nothing in the database tells
    assert found(verify(witnessed=witness.kept())) == [("truncated", 200)]


def test_everything_was_emptied(log: list[int]) -> None:
    tables = ("audit_leaf", "audit_auditevent", "audit_checkpoint", "audit_subtree")
    tamper(*(f"DELETE FROM {table}" for table in tables))
    assert ("size", None) in found(verify())


def test_the_log_was_rebuilt_even_with_the_key(
    log: list[int], settings, tmp_path: Path, admin: User
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "points")
    witness.send_new()
    event = AuditEvent.objects.get(pk=log[150])
    event.actor_name = "eve"
    from console.audit.canonical import stamp

    tamper(
        f"UPDATE audit_auditevent SET actor_name = 'eve', stamp = '{stamp(event)}' "
        f"WHERE id = {log[150]}",
        "DELETE FROM audit_leaf",
        "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_subtree",
        "UPDATE audit_tree SET size = 0",
        "INSERT INTO audit_pending (event_id) SELECT id FROM audit_auditevent",
    )
    sealing.seal()
    sealing.checkpoint(force=True)
    assert verify().ok  # with the console's own key everything fits
    report = verify(witnessed=witness.kept())
    assert found(report) == [("rebuilt", 100)]
    assert "positions 100 to 199" in report.findings[0].text


def test_the_log_was_begun_anew_under_another_name(log: list[int], tmp_path: Path) -> None:
    notes = witnessed("\n".join(point.note for point in Checkpoint.objects.all()))
    origin = "0" * 32 if connection.vendor == "sqlite" else "0" * 8 + "-0000-0000-0000-" + "0" * 12
    tamper(f"UPDATE audit_tree SET origin = '{origin}'")
    assert ("rebuilt", None) in found(verify(witnessed=notes))


def test_a_checkpoint_was_edited(log: list[int]) -> None:
    tamper("UPDATE audit_checkpoint SET note = replace(note, 'time 2', 'time 3') WHERE size = 200")
    assert found(verify()) == [("signature", None)]


def test_a_checkpoint_of_another_key(log: list[int], monkeypatch) -> None:
    from console.secrets.keyring import Key

    old = Tree.objects.get()
    monkeypatch.setenv("FLOTILLA_KEY_RING", Key.new().text)
    kinds = {finding.kind for finding in verify().findings}
    assert kinds == {"signature", "forged"} and old.size == SIZE


def test_an_event_was_slipped_in(log: list[int]) -> None:
    columns = ", ".join(
        field.column
        for field in AuditEvent._meta.concrete_fields
        if field.name not in ("id", "uid")
    )
    tamper(
        f"INSERT INTO audit_auditevent (id, uid, {columns}) "
        f"SELECT 99999, NULL, {columns} FROM audit_auditevent WHERE id = {log[0]}"
    )
    report = verify()
    assert found(report) == [("forged", None)] and "99999" in report.findings[0].text
    # Also when the console is made to give it a place.
    tamper("INSERT INTO audit_pending (event_id) VALUES (99999)")
    sealing.seal()
    assert ("forged", SIZE) in found(verify())


def test_an_event_that_waits_was_edited_or_removed(log: list[int], admin: User) -> None:
    first, second = (record("host.added", actor=admin).pk for _turn in range(2))
    tamper(
        f"UPDATE audit_auditevent SET reason = 'x' WHERE id = {first}",
    )
    assert f"Event {first} waits" in verify().findings[0].text
    sealing.seal()  # the altered one gets its place and is told all the same
    assert found(verify()) == [("forged", SIZE)]
    assert not Pending.objects.exists() and second


def test_a_kept_hash_was_edited(log: list[int]) -> None:
    tamper(f"UPDATE audit_subtree SET hash = {binary(bytes(32))}")
    assert ("subtree", 0) in found(verify())


def test_the_triggers_are_gone(log: list[int]) -> None:
    tamper(put_back=False)
    assert found(verify()) == [("triggers", None)]


def test_what_was_there_before_is_adopted_and_nothing_else(admin: User) -> None:
    for _turn in range(3):
        record("host.added", actor=admin)
    tamper("UPDATE audit_auditevent SET stamp = ''", "UPDATE audit_tree SET adopted = 3")
    sealing.seal()
    point = sealing.checkpoint(force=True)
    assert "\nadopted 3\n" in point.note and verify().ok
    tamper("UPDATE audit_tree SET adopted = 4")
    assert found(verify()) == [("adopted", None)]


def test_an_incremental_verification_reads_only_what_is_new(
    log: list[int], admin: User, django_assert_max_num_queries
) -> None:
    tamper(f"UPDATE audit_auditevent SET reason = 'x' WHERE id = {log[5]}")
    assert verify(SIZE).ok  # that is what incremental means
    tamper("DELETE FROM audit_checkpoint WHERE size = 300")
    assert verify(SIZE).start == 0  # a start that no checkpoint confirms is none


def test_the_command_names_it_and_records_itself(log: list[int]) -> None:
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert "300 events looked at" in out.getvalue()
    call_command("audit", "verify", "--incremental", stdout=out)
    assert "0 events looked at, 300 in the log" in out.getvalue()
    tamper(f"UPDATE audit_auditevent SET reason = 'x' WHERE id = {log[5]}")
    with pytest.raises(CommandError, match="was altered"):
        call_command("audit", "verify", stdout=out)
    assert f"Position 5: event {log[5]} was altered." in out.getvalue()
    with pytest.raises(CommandError, match="was altered"):  # not forgotten by looking elsewhere
        call_command("audit", "verify", "--incremental", stdout=out)
    outcomes = AuditEvent.objects.filter(action="audit.verified").order_by("pk")
    assert [event.outcome for event in outcomes] == ["success", "success", "failure", "failure"]
    assert Leaf.objects.count() == SIZE


def test_a_witness_that_is_away_delays_and_a_torn_write_loses_nothing(
    log: list[int], settings, tmp_path: Path
) -> None:
    file = tmp_path / "away" / "points"
    settings.AUDIT_CHECKPOINT_FILE = str(file)
    witness.send_new()
    state = witness.Witness.objects.get()
    assert state.size == 0 and "No such file" in state.error
    file.parent.mkdir()
    file.write_text(Checkpoint.objects.get(size=100).note[:90])
    witness.send_new()
    state.refresh_from_db()
    assert (state.size, state.error) == (SIZE, "")
    assert [note.size for note in witness.kept()] == [100, 200, 300]
    assert verify(witnessed=witness.kept()).ok


@pytest.mark.parametrize("waits", [True, False])
def test_a_stamp_of_a_key_that_nobody_knows_is_no_stamp(log: list[int], waits: bool) -> None:
    event = AuditEvent.objects.get(pk=log[5])
    event.pk, event.uid, event.stamp = None, uuid4(), "deadbeef:" + "0" * 64
    event.save(force_insert=True)
    Pending.objects.create(event=event)
    if not waits:
        sealing.seal()
    assert [kind for kind, _place in found(verify())] == ["altered" if waits else "forged"]


@pytest.fixture
def own_ring(settings, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "ring"


def test_a_rotation_of_keys_in_one_go_leaves_the_record_good(own_ring: None, admin: User) -> None:
    record("host.added", actor=admin)
    for _turn in range(2):
        sealing.seal()
        sealing.checkpoint(force=True)
        record("host.added", actor=admin)  # waits, with a stamp of the key that goes
        call_command("rotate_secrets", "--new-key", stdout=StringIO())
        call_command("rotate_secrets", "--drop-old-keys", stdout=StringIO())
    guard(connection)
    assert verify().findings == []


def test_a_key_that_has_gone_stamps_nothing_new(
    own_ring: None, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = record("host.added", actor=admin)
    call_command("rotate_secrets", "--new-key", "--drop-old-keys", stdout=StringIO())
    later = timezone.now() + timedelta(hours=25)
    monkeypatch.setattr(timezone, "now", lambda: later)
    record("host.added", actor=admin)
    sealing.round_of_sealing()
    forged = AuditEvent(action="host.added", time=later, uid=uuid4(), stamp=old.stamp)
    forged.save(force_insert=True)
    Pending.objects.create(event=forged)
    sealing.round_of_sealing()
    guard(connection)
    size = Tree.objects.get().size
    assert found(verify()) == [("forged", size - 1)]
