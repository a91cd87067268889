"""Restores a cluster from a snapshot: what the worker itself does of the recipe "restore"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from provisioning.actions import ActionContext, action
from provisioning.host_runner import new_nonce
from provisioning.models_snapshots import Snapshot, SnapshotState
from provisioning.run import Failure
from provisioning.snapshots import mark_damaged, schedule_of
from provisioning.snapshots_container import CHUNK, Damaged, Reader
from provisioning.snapshots_database import Database, DatabaseError, Patch, patched
from provisioning.snapshots_store import opened, verify
from provisioning.spec import HostSpec
from provisioning.steps.base import Context
from provisioning.steps.compile import Payload, compile_script
from provisioning.steps.etcd import DATA
from provisioning.steps.etcd_restore import (
    FIRST,
    STALE,
    CheckSnapshot,
    NewEtcdAuthority,
    RestoreSnapshot,
    forget_authority,
    restored_data,
)
from provisioning.steps.etcd_snapshot import TOOLS

# How far the store's revision is raised: what etcd's documentation recommends ("about a week of
# 1500 writes a second"), above all that the console has ever heard of.
BUMP = 1_000_000_000
TRAILER = 32  # `snapshot save` puts the SHA-256 of the database behind it
SPARE = 128 * 2**20


@action(CheckSnapshot.id)
def check(ctx: ActionContext) -> int:
    """Refuse a snapshot of another cluster or a damaged one, and hosts without room for it."""
    ctx.material.pop(FIRST, None)
    snapshot = _snapshot(ctx)
    known = schedule_of(ctx.cluster).cluster_uid
    if not snapshot.cluster_uid or snapshot.cluster_uid != known:
        raise _wrong_cluster(snapshot.cluster_uid, known)
    try:
        # The namespace's object is not encrypted: its UID stands in the database as it is.
        if not verify(snapshot, known.encode(), ctx.run.check_canceled):
            raise _wrong_cluster(_("another one"), known)
        with opened(snapshot) as reader:
            database = Database(reader.read)
            database.raised(_target(ctx, snapshot))
    except (Damaged, DatabaseError) as error:
        raise _damaged(ctx, snapshot, error) from error
    ctx.log(_("The file opens and has its SHA-256 %(sha256)s.") % {"sha256": snapshot.sha256})
    there = [h for h in ctx.spec.control_plane if h.id in ctx.runners]
    if not there:
        raise Failure(
            code="unreachable",
            expected=_("At least one control plane answers."),
            found=_("None of %(hosts)s answers.")
            % {"hosts": ", ".join(h.name for h in ctx.spec.control_plane)},
            hint=_("Bring one of them back, then retry. Nothing has been changed yet."),
        )
    for host in there:
        _room(ctx, host, snapshot)
    for host in ctx.spec.control_plane:
        if host.id not in ctx.runners:
            ctx.log(_left_out(host))
    return 0


@action(NewEtcdAuthority.id)
def forget_etcd_authority(ctx: ActionContext) -> int:
    """From now on only those who get new certificates belong to the cluster's etcd."""
    stale = {h.id for h in ctx.spec.control_plane if h.id not in ctx.runners}
    ctx.material[STALE] = ",".join(str(number) for number in sorted(stale))
    return int(forget_authority(ctx.material, str(ctx.spec.request["run"])))


@action(RestoreSnapshot.id)
def restore(ctx: ActionContext) -> int:
    """Make the data folder of this host from the snapshot; it becomes the first member."""
    snapshot = _snapshot(ctx)
    target = _target(ctx, snapshot)
    with ctx.run.lease.write():
        # Before it is sent: whatever comes of this, no later restore goes below it.
        schedule = schedule_of(ctx.cluster)
        schedule.highest_revision = target
        schedule.save(update_fields=["highest_revision"])
    try:
        with opened(snapshot) as reader:
            raised = Raised(reader, snapshot.size, target)
            context = Context(ctx.spec, ctx.here, ctx.facts, ctx.material)
            nonce = new_nonce()
            resource = restored_data(context, raised.size, raised.sha256)
            compiled = compile_script([resource], nonce, ctx.spec.id)
            (payload,) = compiled.payloads.values()
            compiled = replace(
                compiled, payloads={0: Payload(payload.path, payload.size, source=raised.pieces)}
            )
            ctx.log(
                _("Revision %(old)d becomes %(new)d: watchers list anew, and never see an old one.")
                % {"old": snapshot.revision, "new": target}
            )
            runner = ctx.runners[ctx.here.id]
            done = runner.script(compiled, nonce, ctx.row.step, RestoreSnapshot.timeout)
    except (Damaged, DatabaseError) as error:
        raise _damaged(ctx, snapshot, error) from error
    ctx.material[FIRST] = str(ctx.here.id)
    return done.changes


@dataclass
class Raised:
    """A snapshot with its revision raised, as etcdctl takes it. size, sha256: of all of it.

    Raises Damaged or DatabaseError when it is made.
    """

    reader: Reader
    plain_size: int
    revision: int

    def __post_init__(self) -> None:
        self.size = self.plain_size
        database = Database(self.reader.read)
        # A database is whole pages; what is more is the digest that `snapshot save` appended.
        rest = self.plain_size % database.page_size
        if rest not in (0, TRAILER):
            raise DatabaseError(f"{self.plain_size} bytes are no whole pages of a database")
        self._database_size = self.plain_size - rest
        self._patches: list[Patch] = database.raised(self.revision)
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        self.sha256 = digest.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The bytes in order, never more than a chunk in memory."""
        digest = hashlib.sha256()
        for offset in range(0, self._database_size, CHUNK):
            size = min(CHUNK, self._database_size - offset)
            piece = patched(offset, self.reader.read(offset, size), self._patches)
            digest.update(piece)
            yield piece
        if self._database_size < self.plain_size:
            yield digest.digest()


def _snapshot(ctx: ActionContext) -> Snapshot:
    number = int(str(ctx.spec.request.get("snapshot", 0)))
    row = Snapshot.objects.filter(pk=number).first()
    if row is None:
        raise Failure(
            code="snapshot_gone",
            found=_("Snapshot %(number)d is no longer there.") % {"number": number},
            hint=_("Choose another one."),
        )
    if row.cluster_id != ctx.cluster.pk:
        raise _wrong_cluster(row.cluster_uid, ctx.cluster.name)
    if row.state not in (SnapshotState.READY, SnapshotState.DAMAGED):
        raise Failure(
            code="snapshot_gone",
            found=_("Snapshot %(number)d was never finished.") % {"number": number},
            hint=_("Choose another one."),
        )
    return row


def _target(ctx: ActionContext, snapshot: Snapshot) -> int:
    """The revision to go on at: above every one that the console knows of, and by far."""
    health = getattr(ctx.cluster, "control_plane_health", None)
    seen = int(getattr(health, "etcd_revision", 0) or 0)
    return max(snapshot.revision, schedule_of(ctx.cluster).highest_revision, seen) + BUMP


def _room(ctx: ActionContext, host: HostSpec, snapshot: Snapshot) -> None:
    """The file and what is made of it, beside the old data."""
    need = 2 * snapshot.size + SPARE
    script = f"""{TOOLS}
free=$(fl_free {DATA})
[ "${{free:-0}}" -gt {need // 1024:d} ] ||
  fl_failed disk_full "{need // 2**20:d} MiB are needed in {DATA}, $((${{free:-0}} / 1024)) free"
fl_utl version >/dev/null 2>&1 || fl_failed no_etcdctl "neither etcdutl nor etcdctl runs"
"""
    ctx.runners[host.id].fetch(script, lambda _data: None, ctx.row.step, 60)


def _left_out(host: HostSpec) -> str:
    return _(
        "%(host)s does not answer and is left out. It still holds the old data: replace or remove "
        "it, and do not let it run before; a majority of such hosts would be the old cluster again."
    ) % {"host": host.name}


def _wrong_cluster(found: str, expected: str) -> Failure:
    return Failure(
        code="wrong_cluster",
        expected=_("A snapshot of this cluster (%(expected)s).") % {"expected": expected},
        found=_("It is of another cluster (%(found)s).") % {"found": found or _("unknown")},
        hint=_("Choose a snapshot of this cluster. Nothing has been changed yet."),
    )


def _damaged(ctx: ActionContext, snapshot: Snapshot, error: Exception) -> Failure:
    with ctx.run.lease.write():
        mark_damaged(snapshot, str(error))
    return Failure(
        code="snapshot_damaged",
        expected=_("The snapshot opens and is what was taken."),
        found=_("It is damaged: %(why)s.") % {"why": error},
        hint=_("Choose another snapshot, and look at the console's disk."),
    )
