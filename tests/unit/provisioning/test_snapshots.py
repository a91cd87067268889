"""Snapshots on the console: how many are kept, that files go with rows, and the clock."""

from __future__ import annotations

import errno
import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from clusters.models import ClusterStatus
from console.audit.models import AuditEvent
from provisioning.models import Host, Task, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.models_snapshots import Snapshot, SnapshotSchedule, SnapshotState
from provisioning.operations import Refused
from provisioning.run import Failure
from provisioning.schedule import following, run_due
from provisioning.snapshots import (
    change_schedule,
    delete_snapshot,
    prune,
    schedule_of,
    settle_unfinished,
    too_many,
)
from provisioning.snapshots_container import Damaged
from provisioning.snapshots_store import folder_of, opened, path_of, receiving, verify
from tests.factories import ClusterFactory, TaskFactory
from tests.unit.clusters.cast import host, release
from tests.unit.provisioning.snapshot_rows import snapshot

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def cluster(db):
    """An active cluster with one host and a release, as a task needs them."""
    release()
    made = ClusterFactory(name="edge", seen=timezone.now())
    row = host(1)
    Host.objects.filter(pk=row.pk).update(
        cluster=made, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=0
    )
    return made


def due(cluster, hours_ago: float = 0.1, **fields) -> SnapshotSchedule:
    row = schedule_of(cluster)
    for name, value in {"next_due": timezone.now() - timedelta(hours=hours_ago), **fields}.items():
        setattr(row, name, value)
    row.save()
    return row


@given(
    st.lists(st.integers(0, 24 * 400), max_size=60),
    st.integers(1, 50),
    st.integers(1, 365),
)
def test_the_newest_good_snapshot_is_always_kept(hours, count, days):
    ready = [(n, NOW - timedelta(hours=h)) for n, h in enumerate(sorted(hours))]
    gone = too_many(ready, count, days, NOW)
    kept = [row for row in ready if row[0] not in gone]
    assert kept[:1] == ready[:1]
    assert len(kept) <= max(1, count)
    assert all(taken >= NOW - timedelta(days=days) for _n, taken in kept[1:])
    # Nothing goes without a reason.
    for number in gone:
        place = [n for n, _taken in ready].index(number)
        assert place >= count or ready[place][1] < NOW - timedelta(days=days)


def test_what_is_no_longer_kept_goes_with_its_file(cluster, django_capture_on_commit_callbacks):
    due(cluster, keep_count=2, keep_days=30)
    rows = [snapshot(cluster, hours_ago=h) for h in (1, 2, 3)]
    files = [path_of(row) for row in rows]
    with django_capture_on_commit_callbacks(execute=True):
        assert prune(cluster) == 1
    assert [f.exists() for f in files] == [True, True, False]
    assert not Snapshot.objects.filter(pk=rows[2].pk).exists()


def test_the_files_go_with_the_cluster(cluster, django_capture_on_commit_callbacks):
    snapshot(cluster)
    folder = folder_of(cluster.pk)
    assert list(folder.iterdir())
    Host.objects.filter(cluster=cluster).update(cluster=None)
    with django_capture_on_commit_callbacks(execute=True):
        cluster.delete()
    assert not folder.exists()


def test_a_snapshot_that_a_restore_works_with_stays(cluster, admin):
    row = snapshot(cluster, hours_ago=24 * 90)
    snapshot(cluster)
    TaskFactory(cluster=cluster, operation="restore", parameters={"snapshot": row.pk})
    assert prune(cluster) == 0
    with pytest.raises(Refused, match="works with"):
        delete_snapshot(row, admin)
    assert path_of(row).exists()


def test_another_clusters_file_in_its_place_does_not_open(cluster):
    mine, other = snapshot(cluster), snapshot(ClusterFactory(), content=b"other" * 1000)
    path_of(mine).write_bytes(path_of(other).read_bytes())
    with pytest.raises(Damaged):
        verify(mine)
    # Not even with the other one's key: the file knows whose it is.
    mine.data_key = other.data_key
    with pytest.raises(Damaged), opened(mine):
        pass


def test_the_key_and_the_content_are_nowhere_in_plain(cluster):
    row = snapshot(cluster, content=b"very secret text " * 1000)
    assert b"very secret" not in path_of(row).read_bytes()
    assert path_of(row).stat().st_mode & 0o077 == 0
    stored = Snapshot.objects.filter(pk=row.pk).values_list("data_key", flat=True).get()
    assert row.data_key not in str(stored)


def test_a_full_disk_is_named_and_nothing_is_left_behind(cluster):
    row = Snapshot.objects.create(cluster=cluster, origin="hand")
    with pytest.raises(Failure) as failed, receiving(row) as incoming:
        incoming.writer.write(b"x" * 3_000_000)
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "No space is left" in failed.value.found and failed.value.hint
    assert list(folder_of(cluster.pk).iterdir()) == []


def test_what_a_killed_worker_left_is_swept_and_said(cluster):
    task = TaskFactory(cluster=cluster, operation="snapshot", status=TaskStatus.FAILED)
    row = Snapshot.objects.create(cluster=cluster, origin="hand", task=task)
    folder_of(cluster.pk).mkdir(parents=True, exist_ok=True)
    left = folder_of(cluster.pk) / f".taking-{row.pk}"
    left.write_bytes(b"half")
    settle_unfinished()
    prune(cluster)
    row.refresh_from_db()
    assert row.state == SnapshotState.FAILED and row.state_reason
    assert not left.exists()


# --- the clock


def snapshots_launched() -> int:
    return Task.objects.filter(operation="snapshot").count()


def test_an_active_cluster_gets_a_schedule_that_is_on(cluster):
    run_due(timezone.now())
    row = SnapshotSchedule.objects.get(cluster=cluster)
    assert row.enabled and row.every_hours == 6
    assert row.next_due > timezone.now()
    assert snapshots_launched() == 0


def test_a_due_snapshot_is_launched_and_audited(cluster):
    due(cluster)
    assert run_due(timezone.now()) == 1
    task = Task.objects.get(operation="snapshot")
    assert task.parameters["origin"] == "schedule" and task.created_by is None
    assert AuditEvent.objects.filter(action="snapshot.taken").exists()


def test_a_console_that_was_off_catches_up_once(cluster):
    due(cluster, hours_ago=24 * 20)
    assert run_due(timezone.now()) == 1
    Task.objects.update(status=TaskStatus.SUCCEEDED)
    assert run_due(timezone.now()) == 0
    row = SnapshotSchedule.objects.get()
    assert timezone.now() < row.next_due <= timezone.now() + row.every


@given(st.integers(-1000, 100_000), st.integers(1, 168))
def test_the_next_time_is_after_now_and_on_the_same_grid(minutes, hours):
    start, every = NOW - timedelta(minutes=minutes), timedelta(hours=hours)
    found = following(start, every, NOW)
    assert found > max(NOW, start)
    assert (found - start) % every == timedelta(0)
    assert found <= max(NOW, start) + every


@pytest.mark.parametrize(
    "status", [ClusterStatus.DELETING, ClusterStatus.UNREACHABLE, ClusterStatus.FAILED]
)
def test_clusters_that_cannot_give_one_stay_due(cluster, status):
    row = due(cluster)
    cluster.set_status(status)
    assert run_due(timezone.now()) == 0
    row.refresh_from_db()
    assert row.next_due < timezone.now()


def test_a_busy_cluster_waits_and_no_schedule_means_none(cluster):
    row = due(cluster)
    task = TaskFactory(cluster=cluster, status=TaskStatus.RUNNING)
    assert run_due(timezone.now()) == 0
    row.refresh_from_db()
    assert row.next_due < timezone.now()
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.SUCCEEDED)
    due(cluster, enabled=False)
    assert run_due(timezone.now()) == 0


@pytest.mark.django_db(transaction=True)
def test_many_workers_launch_one(transactional_db):
    release()
    cluster = ClusterFactory(name="edge", seen=timezone.now())
    row = host(1)
    Host.objects.filter(pk=row.pk).update(
        cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=0
    )
    due(cluster)
    barrier, launched = threading.Barrier(4), []

    def work() -> None:
        try:
            barrier.wait(10)
            launched.append(run_due(timezone.now()))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(launched) == [0, 0, 0, 1]
    assert snapshots_launched() == 1


def test_a_changed_schedule_is_audited_and_counts_from_the_last_snapshot(cluster, admin):
    last = snapshot(cluster, hours_ago=2)
    row = change_schedule(cluster, {"every_hours": 12}, admin)
    assert row.next_due == last.taken + timedelta(hours=12)
    event = AuditEvent.objects.get(action="snapshot.schedule_changed")
    assert (event.before["every_hours"], event.after["every_hours"]) == (6, 12)
    change_schedule(cluster, {"every_hours": 12}, admin)
    assert AuditEvent.objects.filter(action="snapshot.schedule_changed").count() == 1
