"""What people and the clock do with snapshots: list, keep so many, delete, hand out, schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterSecret
from console.accounts.models import User
from console.audit.record import record
from provisioning.models import ENDED, Host, Task
from provisioning.models_snapshots import Snapshot, SnapshotSchedule, SnapshotState
from provisioning.operations import Refused
from provisioning.snapshots_container import Damaged
from provisioning.snapshots_store import opened, remove_file, sweep
from provisioning.steps.base import Problem
from provisioning.steps.etcd_restore import STALE

FIRST_AFTER = timedelta(hours=1)  # a new cluster has little to lose, and a first look at it is due
SCHEDULE_FIELDS = ("enabled", "every_hours", "keep_count", "keep_days")


def schedule_of(cluster: Cluster) -> SnapshotSchedule:
    """The cluster's schedule; made with its defaults (on) when there is none yet."""
    row, _made = SnapshotSchedule.objects.get_or_create(
        cluster=cluster, defaults={"next_due": timezone.now() + FIRST_AFTER}
    )
    return row


def change_schedule(
    cluster: Cluster, values: dict[str, Any], user: User | None, http: HttpRequest | None = None
) -> SnapshotSchedule:
    """Set fields of the schedule (SCHEDULE_FIELDS), with its audit event.

    Switched on, or set to another time, it is due that long after the last good snapshot.
    """
    with transaction.atomic():
        row = schedule_of(cluster)
        before = {name: getattr(row, name) for name in SCHEDULE_FIELDS}
        for name in SCHEDULE_FIELDS:
            setattr(row, name, values.get(name, before[name]))
        after = {name: getattr(row, name) for name in SCHEDULE_FIELDS}
        if after == before:
            return row
        row.full_clean(exclude=["cluster"])
        last = newest_ready(cluster)
        if (after["enabled"], after["every_hours"]) != (before["enabled"], before["every_hours"]):
            row.next_due = max((last.taken if last else timezone.now()) + row.every, timezone.now())
        row.save(update_fields=[*SCHEDULE_FIELDS, "next_due"])
        record(
            "snapshot.schedule_changed",
            cluster,
            request=http,
            actor=user,
            before=before,
            after=after,
        )
    return row


def newest_ready(cluster: Cluster) -> Snapshot | None:
    """The newest good snapshot."""
    return Snapshot.objects.filter(cluster=cluster, state=SnapshotState.READY).first()


def too_many(ready: list[tuple[int, datetime]], count: int, days: int, now: datetime) -> list[int]:
    """Which of the good snapshots (id, taken; newest first) are no longer kept.

    Older than `days` or beyond the `count` newest; never the newest one.
    """
    oldest = now - timedelta(days=days)
    return [
        number
        for place, (number, taken) in enumerate(ready)
        if place > 0 and (place >= count or taken < oldest)
    ]


def prune(cluster: Cluster) -> int:
    """Remove what the schedule no longer keeps: good ones by count and age, failed ones by age.

    Also the remains of snapshots that were never finished. Returns how many rows went.
    """
    with transaction.atomic():
        schedule, now = schedule_of(cluster), timezone.now()
        rows = Snapshot.objects.filter(cluster=cluster)
        good = list(rows.filter(state=SnapshotState.READY).values_list("pk", "taken"))
        gone = too_many(good, schedule.keep_count, schedule.keep_days, now)
        old = now - timedelta(days=schedule.keep_days)
        bad = rows.filter(state__in=(SnapshotState.FAILED, SnapshotState.DAMAGED), taken__lt=old)
        gone += bad.values_list("pk", flat=True)
        kept = _in_use(cluster)
        gone = [number for number in gone if number not in kept]
        rows.filter(pk__in=gone).delete()
        taking = set(rows.filter(state=SnapshotState.TAKING).values_list("pk", flat=True))
    sweep(cluster.pk, taking)
    return len(gone)


def settle_unfinished() -> None:
    """Say of snapshots whose task has ended, or is gone, that they were never finished."""
    ended = Q(task__status__in=ENDED) | Q(task=None)
    Snapshot.objects.filter(ended, state=SnapshotState.TAKING).update(
        state=SnapshotState.FAILED, state_reason=_("Its task ended before it was finished.")
    )


def _in_use(cluster: Cluster) -> set[int]:
    """The snapshots that a restore works with or would go on with."""
    open_tasks = Task.objects.filter(cluster=cluster, operation="restore").exclude(status__in=ENDED)
    return {int(task.parameters.get("snapshot", 0)) for task in open_tasks}


def delete_snapshot(snapshot: Snapshot, user: User | None, http: HttpRequest | None = None) -> None:
    """Remove a snapshot with its file and key. Raises Refused while a task works with it."""
    with transaction.atomic():
        row = Snapshot.objects.select_for_update().get(pk=snapshot.pk)
        if row.state == SnapshotState.TAKING or row.pk in _in_use(row.cluster):
            what = _("A task works with this snapshot.")
            raise Refused([Problem("busy", what, _("Wait until it has ended, or cancel it."))])
        record("snapshot.removed", row, request=http, actor=user, before=told(row))
        row.delete()


def stale_members(cluster: Cluster) -> list[Host]:
    """Control planes of the cluster that were away during a restore and hold the old data.

    They may not take part again before they were replaced or removed.
    """
    row = ClusterSecret.objects.filter(cluster=cluster, name=STALE).first()
    numbers = [int(word) for word in (row.value if row else "").split(",") if word]
    return list(Host.objects.filter(pk__in=numbers, cluster=cluster).order_by("cluster_index"))


def stale_problem(cluster: Cluster) -> Problem | None:
    """Why nothing may be run on all control planes: some hold the data from before a restore."""
    names = ", ".join(host.name for host in stale_members(cluster))
    if not names:
        return None
    what = _("%(hosts)s still hold the data from before the restore.") % {"hosts": names}
    return Problem("stale_members", what, _("Replace or remove them first."))


def told(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as audit events name it."""
    return {
        "cluster": snapshot.cluster.name,
        "taken": snapshot.taken,
        "revision": snapshot.revision,
        "sha256": snapshot.sha256,
        "size": snapshot.size,
    }


def mark_damaged(snapshot: Snapshot, why: str) -> None:
    """Note that a snapshot does not open any more."""
    text = _("%(why)s (found %(when)s)") % {
        "why": why, "when": timezone.now().strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip
    Snapshot.objects.filter(pk=snapshot.pk).update(state=SnapshotState.DAMAGED, state_reason=text)
    snapshot.state, snapshot.state_reason = SnapshotState.DAMAGED, text


def hand_out(snapshot: Snapshot, user: User | None, http: HttpRequest | None = None) -> None:
    """Open a snapshot that somebody is about to download, and say in the audit log who.

    Raises Refused when it is not ready or does not open. Damage in its middle shows while it
    is read: every chunk is checked before it is handed out.
    """
    if snapshot.state != SnapshotState.READY:
        what = _("This snapshot is not ready: %(state)s.") % {"state": snapshot.get_state_display()}
        raise Refused([Problem("not_ready", what, _("Choose another one."))])
    try:
        with opened(snapshot):
            record("snapshot.downloaded", snapshot, request=http, actor=user, after=told(snapshot))
    except Damaged as error:
        mark_damaged(snapshot, str(error))
        what = _("This snapshot is damaged: %(why)s.") % {"why": error}
        raise Refused([Problem("damaged", what, _("Choose another one."))]) from error


def forget_file(cluster_id: int, snapshot_id: int) -> None:
    """After a row has gone for good, its file goes too."""
    transaction.on_commit(lambda: remove_file(cluster_id, snapshot_id))
