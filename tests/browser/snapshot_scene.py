"""A cluster with snapshots in every state, for browser tests; prints the ids of both."""

from __future__ import annotations

import sys

import django

django.setup()

from datetime import timedelta  # noqa: E402

from django.utils import timezone  # noqa: E402

from clusters.models import Cluster  # noqa: E402
from provisioning.models import Host, Snapshot, SnapshotState  # noqa: E402
from provisioning.models_hosts import ClusterRole  # noqa: E402
from provisioning.snapshots import schedule_of  # noqa: E402
from tests.factories import ClusterFactory  # noqa: E402
from tests.unit.clusters.cast import host, release  # noqa: E402
from tests.unit.provisioning.snapshot_rows import snapshot  # noqa: E402


def scene() -> tuple[Cluster, Snapshot]:
    """The cluster and its good snapshot."""
    release()
    cluster = ClusterFactory(name="snapped", seen=timezone.now())
    row = host(91, name="snapped-1")
    Host.objects.filter(pk=row.pk).update(
        cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=0
    )
    good = snapshot(cluster, hours_ago=2, etcd_version="3.4.23", host_name="snapped-1")
    snapshot(
        cluster, hours_ago=9, state=SnapshotState.DAMAGED,
        state_reason="chunk 3 of 12 does not open (found 2026-11-23 03:00 UTC)",
    )  # fmt: skip
    Snapshot.objects.create(
        cluster=cluster, origin="schedule", state=SnapshotState.FAILED,
        state_reason="snapped-1: 164 MiB are needed in /var/lib/flotilla/1/snapshot, 12 are free.",
    )  # fmt: skip
    schedule = schedule_of(cluster)
    schedule.last_failure = "Task 12: 164 MiB are needed in /var/lib/flotilla/1/snapshot"
    schedule.last_failure_at = timezone.now() - timedelta(minutes=5)
    schedule.save()
    return cluster, good


if __name__ == "__main__":
    made, kept = scene()
    sys.stdout.write(f"{made.pk} {kept.pk}")
