"""Places in the tree, checkpoints and proofs; what the database itself refuses."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from console.accounts.models import User
from console.audit import sealing, triggers
from console.audit.canonical import plain, stamp_fits
from console.audit.models import AuditEvent, Checkpoint, Leaf, Pending, Subtree, Tree
from console.audit.record import record
from console.audit.signing import known_keys
from console.audit.tree import Hashes
from console.audit.verifier import (
    Checkpoint as Note,
)
from console.audit.verifier import (
    Frontier,
    canonical,
    consistent,
    content,
    leaf_hash,
    root_from_inclusion,
)
from console.secrets import rotation
from tests.unit.audit.tampering import guard

# The tree of RFC 6962's reference implementation: these leaves, and the roots after each.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
LEAVES.append("606162636465666768696a6b6c6d6e6f")
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_hashes_are_those_of_the_standard() -> None:
    tree = Frontier()
    assert tree.root() == hashlib.sha256(b"").digest()
    for size, text in enumerate(LEAVES, start=1):
        tree.add(leaf_hash(bytes.fromhex(text)))
        if size in ROOTS:
            assert tree.root().hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, 'é\n"\u2028']}, '{"a":[true,null,"é\\n\\"\u2028"],"b":1}'),
        ([1.0, 1.50, 1e3, -0.0, 1e-7], "[1,1.5,1000,0,0.0000001]"),
        ([10**20, 1e20], "[100000000000000000000,100000000000000000000]"),
        ({"中": "😀", "é": ""}, '{"é":"","中":"😀"}'),
    ],
)
def test_there_is_one_spelling(value: object, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.django_db
def test_an_event_reads_back_as_it_was_stamped(admin: User) -> None:
    odd = {"n": 1e20, "f": 1.5, "s": "a\x00\ud800😀</script>", "i": float("inf"), "b": "x" * 10**6}
    record("user.changed", admin, after=odd, actor=admin, reason="\ud83d")
    event = AuditEvent.objects.get(action="user.changed")
    assert stamp_fits(event) is True
    event.reason = "another"
    assert stamp_fits(event) is False


@pytest.mark.django_db
def test_events_get_places_without_a_gap_and_proofs_hold(admin: User) -> None:
    for number in range(600):
        record("host.added", object_name=f"h{number}", actor=admin)
    assert Pending.objects.count() == 600
    sealing._seal_batch()
    old = sealing.checkpoint(force=True)
    assert sealing.seal() == 100
    new = sealing.checkpoint(force=True)
    assert list(Leaf.objects.values_list("position", flat=True)) == list(range(600))
    assert not Pending.objects.exists()
    assert sorted(Subtree.objects.values_list("level", "index")) == [(8, 0), (8, 1)]
    frontier, hashes = Frontier(), Hashes()
    for position, event in enumerate(AuditEvent.objects.order_by("pk")):
        leaf = leaf_hash(content(plain(event)))
        frontier.add(leaf)
        if position % 37 == 0:
            proof = hashes.inclusion(position, 600)
            assert root_from_inclusion(position, 600, leaf, proof) == bytes(new.root)
    assert frontier.root() == bytes(new.root)
    way = hashes.consistency(500, 600)
    assert consistent(500, bytes(old.root), 600, bytes(new.root), way)
    assert not consistent(500, b"\0" * 32, 600, bytes(new.root), way)
    assert not consistent(499, bytes(old.root), 600, bytes(new.root), way)


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13])
def test_every_proof_of_a_small_tree_holds_and_no_other(size: int) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    Leaf.objects.bulk_create(Leaf(position=n, event_id=n, hash=h) for n, h in enumerate(leaves))
    hashes = Hashes()
    roots = [hashes.root(n) for n in range(size + 1)]
    for n, leaf in enumerate(leaves):
        proof = hashes.inclusion(n, size)
        assert root_from_inclusion(n, size, leaf, proof) == roots[size]
        assert root_from_inclusion(n, size, leaf_hash(b"x"), proof) != roots[size]
    for old in range(1, size + 1):
        way = hashes.consistency(old, size)
        assert consistent(old, roots[old], size, roots[size], way)
        assert old == size or not consistent(old, roots[old], size, b"1" * 32, way)


@pytest.mark.django_db
def test_checkpoints_come_by_count_and_by_time(admin: User, monkeypatch) -> None:
    record("host.added", actor=admin)
    sealing.round_of_sealing()
    record("host.added", actor=admin)
    sealing.round_of_sealing()
    assert Checkpoint.objects.count() == 1
    count, age = sealing.unproved()
    assert count == 1 and timedelta(0) <= age < timedelta(minutes=1)
    later = timezone.now() + timedelta(minutes=2)
    monkeypatch.setattr(timezone, "now", lambda: later)
    sealing.round_of_sealing()
    assert Checkpoint.objects.count() == 2 and sealing.unproved() == (0, None)
    # A clock that goes back puts nothing off.
    record("host.added", actor=admin)
    monkeypatch.setattr(timezone, "now", lambda: later - timedelta(days=1))
    sealing.round_of_sealing()
    assert Checkpoint.objects.count() == 3
    monkeypatch.setattr(sealing, "CHECKPOINT_EVENTS", 1)
    record("host.added", actor=admin)
    sealing.round_of_sealing()
    assert Checkpoint.objects.count() == 4


@pytest.mark.django_db
def test_a_new_key_leaves_old_checkpoints_good(
    admin: User, settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "ring"
    for turn in range(3):
        record("host.added", actor=admin)
        sealing.seal()
        sealing.checkpoint(force=True)
        if turn < 2:
            rotation.add_key()
    rotation.write_ring(rotation.key_ring().keys[:1])
    keys = known_keys(Tree.objects.get())
    assert len(keys) == 3
    assert all(Note.of(point.note).signer(keys) for point in Checkpoint.objects.all())


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_two_who_seal_make_one_order(admin: User) -> None:
    problems: list[BaseException] = []

    def run(work) -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)
        finally:
            connections.close_all()

    def write() -> None:
        for number in range(25):
            with transaction.atomic():
                record("host.added", object_name=str(number), actor=admin)

    def place() -> None:
        for _turn in range(10):
            sealing.round_of_sealing()

    threads = [threading.Thread(target=run, args=(w,)) for w in [write] * 8 + [place] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealing.seal()
    assert problems == []
    assert list(Leaf.objects.values_list("position", flat=True)) == list(range(200))
    assert set(Leaf.objects.values_list("event_id", flat=True)) == set(
        AuditEvent.objects.values_list("pk", flat=True)
    )


@pytest.mark.django_db
def test_a_change_that_fails_leaves_nothing_to_seal(admin: User) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record("user.changed", admin)
        raise RuntimeError
    assert sealing.seal() == 0 and not Pending.objects.exists()


@pytest.mark.django_db
def test_migrations_leave_every_trigger(django_db_setup: set[str]) -> None:
    assert django_db_setup == triggers.names(connection.vendor)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["AuditEvent", "Leaf", "Checkpoint"])
def test_the_database_refuses_to_change_or_remove(name: str, admin: User) -> None:
    record("host.added", actor=admin)
    sealing.seal()
    sealing.checkpoint(force=True)
    model = {"AuditEvent": AuditEvent, "Leaf": Leaf, "Checkpoint": Checkpoint}[name]
    field = {"AuditEvent": "reason", "Leaf": "hash", "Checkpoint": "note"}[name]
    guard(connection)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.update(**{field: b"x" if field == "hash" else "x"})
    removal = f"DELETE FROM {model._meta.db_table}"
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(removal)
    admin.delete()  # takes the link from the event, and nothing else
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_name) == (None, "ada") and stamp_fits(event)
