"""Gives events their places in the one order, and signs how far it has come.

An event is written in the transaction of its change, from any process. Its place is given a
moment later, by whoever holds the lock on the tree's row: so there is one order without gaps
and forks, and no change waits for another one (docs/decisions/0038-places-after-the-fact.md).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from console.audit import witness
from console.audit.canonical import instant, plain
from console.audit.models import AuditEvent, Checkpoint, Leaf, Pending, Subtree, Tree
from console.audit.signing import signer
from console.audit.tree import STEP, Hashes, bottom_up
from console.audit.verifier import checkpoint_text, content, leaf_hash

logger = logging.getLogger(__name__)

SECONDS = 5.0
BATCH = 500
# A checkpoint at the latest after so many events or so much time.
CHECKPOINT_EVENTS = 1000
CHECKPOINT_AFTER = timedelta(seconds=60)


def seal() -> int:
    """Give every waiting event its place; returns how many got one."""
    total = 0
    while count := _seal_batch():
        total += count
        if count < BATCH:
            break
    return total


def checkpoint(*, force: bool = False) -> Checkpoint | None:
    """Sign the tree as it is, when one is due or wanted; None when there is nothing new."""
    with transaction.atomic():
        tree = _locked()
        last = Checkpoint.objects.first()
        if tree.size == (last.size if last else 0):
            return None
        now = timezone.now()
        if last and not force and not _due(tree.size - last.size, now - last.time):
            return None
        root = Hashes().root(tree.size)
        more = [f"time {instant(now)}"]
        if tree.adopted:
            more.append(f"adopted {tree.adopted}")
        text = checkpoint_text(tree.name, tree.size, root, more)
        note = signer(tree).note(text)
        return Checkpoint.objects.create(size=tree.size, time=now, root=root, note=note)


def round_of_sealing() -> None:
    """What the watcher does every few seconds."""
    seal()
    checkpoint()
    witness.send_new()


def before_keys_go() -> None:
    """Place what waits and have old and new key sign that one follows the other.

    To be called while the ring still has the old keys: without it nobody could tell any more
    who stamped the events that wait and who signed the old checkpoints.
    """
    seal()
    checkpoint(force=True)
    with transaction.atomic():
        signer(_locked())


def _due(events: int, age: timedelta) -> bool:
    # A clock that went back must not put checkpoints off until it has caught up.
    return events >= CHECKPOINT_EVENTS or not timedelta(0) <= age < CHECKPOINT_AFTER


def _locked() -> Tree:
    Tree.objects.get_or_create(pk=1)
    return Tree.objects.select_for_update().get(pk=1)


def _seal_batch() -> int:
    if not Pending.objects.exists():
        return 0  # nothing waits: no lock for it
    with transaction.atomic():
        tree = _locked()
        waiting = list(Pending.objects.select_related("event").order_by("event_id")[:BATCH])
        leaves = [
            Leaf(position=place, event_id=row.event_id, hash=leaf_hash(content(plain(row.event))))
            for place, row in enumerate(waiting, start=tree.size)
        ]
        Leaf.objects.bulk_create(leaves)
        Pending.objects.filter(pk__in=[row.pk for row in waiting]).delete()
        before, tree.size = tree.size, tree.size + len(leaves)
        _complete_subtrees(before, tree.size)
        tree.save(update_fields=["size"])
    return len(leaves)


def _complete_subtrees(before: int, size: int) -> None:
    level = STEP
    hashes = Hashes()
    while size >> level:
        for index in range(before >> level, size >> level):
            below = hashes.tile(level - STEP, index)
            Subtree.objects.create(level=level, index=index, hash=bottom_up(below))
        level += STEP


def unproved(
    now: datetime | None = None, *, covered: int | None = None
) -> tuple[int, timedelta | None]:
    """Events that no checkpoint covers, and for how long the oldest of them has been so.

    covered: so many are, as those of the last checkpoint that a witness has; None: those of the
    last one that there is.
    """
    last = covered
    if last is None:
        last = Checkpoint.objects.values_list("size", flat=True).first() or 0
    size = Tree.objects.values_list("size", flat=True).first() or 0
    waiting = Pending.objects.count()
    first = (
        Leaf.objects.filter(position=last).values_list("event_id", flat=True).first()
        or Pending.objects.order_by("event_id").values_list("event_id", flat=True).first()
    )
    event = AuditEvent.objects.filter(pk=first or 0).only("time").first()
    age = (now or timezone.now()) - event.time if event else None
    return size - last + waiting, age
