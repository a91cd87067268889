"""What happens by the clock: due snapshots. Called by every worker; each thing happens once."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from clusters.models import Cluster, ClusterStatus, Origin
from provisioning import operations
from provisioning.cluster_operations import launch
from provisioning.lease import write_lock
from provisioning.models_snapshots import SnapshotOrigin, SnapshotSchedule
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.snapshots import schedule_of, settle_unfinished

logger = logging.getLogger(__name__)

EVERY_SECONDS = 30.0


class Clock:
    """Looks what is due, not more often than every 30 s."""

    def __init__(self) -> None:
        self._next = time.monotonic() + EVERY_SECONDS

    def tick(self) -> None:
        """Launch what is due, if it is time to look again. Never raises."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            run_due(timezone.now())
        except Exception:
            # The database is away or locked: said once each time, and looked again.
            logger.exception("cannot look what is due")
            connection.close()


def run_due(now: datetime) -> int:
    """Launch a snapshot of each cluster whose schedule says so; how many were launched.

    A cluster that is busy, unfinished or unreachable stays due. A console that was
    off for long catches up once, not as often as it missed.
    """
    settle_unfinished()
    ours = Cluster.objects.filter(origin=Origin.PROVISIONED, status=ClusterStatus.ACTIVE)
    for cluster in ours.filter(snapshot_schedule=None):
        schedule_of(cluster)
    due = SnapshotSchedule.objects.filter(enabled=True, next_due__lte=now, cluster__in=ours)
    return sum(_launch(row, now) for row in due.select_related("cluster"))


def following(due: datetime, every: timedelta, now: datetime) -> datetime:
    """The first time after now of those that follow `due` by whole intervals."""
    missed = max(0, (now - due) // every)
    return due + (missed + 1) * every


def _launch(row: SnapshotSchedule, now: datetime) -> bool:
    if operations.busy(row.cluster):
        return False
    try:
        with write_lock, transaction.atomic():
            # Whoever moves the time from what was seen launches it; the others find it moved.
            seen = SnapshotSchedule.objects.filter(
                pk=row.pk, enabled=True, next_due=row.next_due, every_hours=row.every_hours
            )
            if not seen.update(next_due=following(row.next_due, row.every, now)):
                return False
            launch(row.cluster, "snapshot", {"origin": SnapshotOrigin.SCHEDULE}, None)
    except (Refused, ReleaseError) as refused:
        # Busy since just now, or without a release: it stays due, and says why.
        text = str(refused)
        logger.info("snapshot of %s is due and has to wait: %s", row.cluster.name, text)
        if not operations.busy(row.cluster):
            SnapshotSchedule.objects.filter(pk=row.pk).exclude(last_failure=text).update(
                last_failure=text, last_failure_at=now
            )
        return False
    return True
