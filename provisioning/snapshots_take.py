"""Takes a snapshot: the action of the recipe step "etcd-snapshot"."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from provisioning.actions import ActionContext, action
from provisioning.host_runner import HostRunner
from provisioning.models_snapshots import Snapshot, SnapshotOrigin, SnapshotState
from provisioning.run import Failure
from provisioning.snapshots import prune, schedule_of
from provisioning.snapshots_container import CHUNK, Damaged
from provisioning.snapshots_store import receiving
from provisioning.steps.etcd_snapshot import TakeSnapshot, snapshot_script

LARGEST = 32 * 2**30  # bytes of a plain snapshot; etcd itself is not meant for more than 8 GiB
# What another member may do better: this one is ill or has no room.
TRY_ANOTHER = ("etcd_unhealthy", "disk_full", "command_failed", "unreachable", "not_writable")


@dataclass(frozen=True)
class Told:
    """What the host says of the file that it sent."""

    status: dict[str, Any]
    revision: int
    etcd_version: str
    uid: str
    sha256: str
    size: int


@action(TakeSnapshot.id)
def take(ctx: ActionContext) -> int:
    """From the first control plane that can: the others are asked when one is ill or full."""
    snapshot = _row(ctx)
    hosts = [h for h in ctx.spec.control_plane if h.id in ctx.runners]
    hosts.sort(key=lambda h: h != ctx.host)
    failure: Failure | None = None
    for host in hosts:
        ctx.run.check_canceled()
        try:
            _from_host(ctx, snapshot, ctx.runners[host.id])
        except Failure as error:
            failure = failure or error
            if error.code not in TRY_ANOTHER:
                break
            ctx.log(f"✗ {error}")
        else:
            return 1
    failure = failure or Failure(found=_("No control plane can be asked."), code="unreachable")
    _failed(ctx, snapshot, failure)
    raise failure


def _row(ctx: ActionContext) -> Snapshot:
    """The row of this task's snapshot; an earlier attempt has made it already."""
    task = ctx.run.task
    origin = str(ctx.spec.request.get("origin", SnapshotOrigin.UPGRADE))
    with ctx.run.lease.write():
        row, _made = Snapshot.objects.update_or_create(
            cluster=ctx.cluster,
            task=task,
            origin=SnapshotOrigin(origin),
            defaults={
                "state": SnapshotState.TAKING,
                "state_reason": "",
                "taken": timezone.now(),
                "kubernetes_version": ctx.cluster.version,
            },
        )
    return row


def _failed(ctx: ActionContext, snapshot: Snapshot, failure: Failure) -> None:
    with ctx.run.lease.write():
        Snapshot.objects.filter(pk=snapshot.pk).update(
            state=SnapshotState.FAILED, state_reason=str(failure)
        )


def _from_host(ctx: ActionContext, snapshot: Snapshot, runner: HostRunner) -> None:
    host = runner.host.name
    with receiving(snapshot) as incoming:
        unpacker = _Unpacker(incoming.writer.write, host)
        lines = runner.fetch(
            snapshot_script(ctx.spec), unpacker.feed, ctx.row.step, TakeSnapshot.timeout
        )
        unpacker.end()
        told = read_told(lines, host)
        _same(told, incoming.writer.sha256, incoming.writer.size, host)
        _of_this_cluster(ctx, told, host)
        try:
            key = incoming.keep()
        except Damaged as error:
            raise Failure(
                code="console_disk",
                found=_("The snapshot cannot be read back from the console's disk: %(why)s.")
                % {"why": error},
                hint=_("Check the console's disk, then retry."),
            ) from error
        stored = incoming.writer.stored
    _keep_row(ctx, snapshot, told, host, key, stored)
    ctx.log(
        _("revision %(revision)d, %(keys)d keys, %(size).1f MiB (%(stored).1f MiB stored)")
        % {
            "revision": told.revision,
            "keys": told.status["totalKey"],
            "size": told.size / 2**20,
            "stored": stored / 2**20,
        }
    )
    prune(ctx.cluster)


def _keep_row(
    ctx: ActionContext, snapshot: Snapshot, told: Told, host: str, key: str, stored: int
) -> None:
    taken = timezone.now()
    with ctx.run.lease.write():
        schedule = schedule_of(ctx.cluster)
        schedule.cluster_uid = told.uid
        schedule.highest_revision = max(schedule.highest_revision, told.revision)
        schedule.last_failure, schedule.last_failure_at = "", None
        schedule.save(
            update_fields=["cluster_uid", "highest_revision", "last_failure", "last_failure_at"]
        )
        snapshot.state, snapshot.state_reason, snapshot.taken = SnapshotState.READY, "", taken
        snapshot.host_name, snapshot.data_key = host, key
        snapshot.size, snapshot.stored_size, snapshot.sha256 = told.size, stored, told.sha256
        snapshot.etcd_hash = int(told.status["hash"])
        snapshot.total_keys, snapshot.revision = int(told.status["totalKey"]), told.revision
        snapshot.etcd_version, snapshot.cluster_uid = told.etcd_version, told.uid
        snapshot.file_name = f"{ctx.cluster.name}-{taken:%Y%m%dT%H%M%SZ}-r{told.revision}.db"
        snapshot.save()


def read_told(lines: Iterable[str], host: str) -> Told:
    """The lines that snapshot_script tells. Raises Failure when they make no sense."""
    words = dict(line.split(" ", 1) for line in lines if " " in line)
    try:
        status = json.loads(words["status"])
        (endpoint,) = json.loads(words["endpoint"])
        at = endpoint["Status"]
        return Told(
            status={"hash": int(status["hash"]), "totalKey": int(status["totalKey"])},
            # After a restore, until the next write, only the running store knows its revision.
            revision=max(int(status["revision"]), int(at["header"]["revision"])),
            etcd_version=str(at["version"])[:32],
            uid=words["uid"].strip()[:36],
            sha256=words["sha256"].strip(),
            size=int(words["size"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise Failure(
            host=host,
            code="snapshot_unclear",
            expected=_("The host tells what it has sent."),
            found=_("Its answer makes no sense: %(error)s.") % {"error": repr(error)},
            hint=_("Look at the output of etcdctl above, then retry."),
        ) from error


def _same(told: Told, sha256: str, size: int, host: str) -> None:
    if (told.sha256, told.size) == (sha256, size):
        return
    raise Failure(
        host=host,
        code="checksum",
        expected=_("%(size)d bytes with SHA-256 %(sha256)s, as on the host.")
        % {"size": told.size, "sha256": told.sha256},
        found=_("%(size)d bytes with SHA-256 %(sha256)s arrived.")
        % {"size": size, "sha256": sha256},
        hint=_("Retry; if it happens again look at the host's memory and network."),
    )


def _of_this_cluster(ctx: ActionContext, told: Told, host: str) -> None:
    with transaction.atomic():
        known = schedule_of(ctx.cluster).cluster_uid
    if told.uid and told.uid == (known or told.uid):
        return
    raise Failure(
        host=host,
        code="wrong_cluster",
        expected=_("The cluster's namespace kube-system has the UID %(uid)s.")
        % {"uid": known or "…"},
        found=_("It has the UID %(uid)s.") % {"uid": told.uid or _("none")},
        hint=_("Find out whose etcd runs on this host before anything else is done."),
    )


class _Unpacker:
    """gzip in, plain bytes out, never more than a chunk at a time."""

    def __init__(self, write: Any, host: str) -> None:
        self._write, self._host = write, host
        self._unpack = zlib.decompressobj(wbits=31)
        self._size = 0

    def feed(self, data: bytes) -> None:
        while data:
            try:
                plain = self._unpack.decompress(data, CHUNK)
            except zlib.error as error:
                raise self._broken(str(error)) from error
            self._size += len(plain)
            if self._size > LARGEST:
                raise self._broken(_("it does not end"))
            self._write(plain)
            data = self._unpack.unconsumed_tail

    def end(self) -> None:
        if not self._unpack.eof:
            raise self._broken(_("it breaks off"))

    def _broken(self, why: str) -> Failure:
        return Failure(
            host=self._host,
            code="checksum",
            expected=_("The snapshot arrives whole."),
            found=_("What arrived makes no sense: %(why)s.") % {"why": why},
            hint=_("Retry; if it happens again look at the host's memory and network."),
        )
