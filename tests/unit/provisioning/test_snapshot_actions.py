"""Taking and restoring as the worker does it, with hosts that answer right, wrong or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import AuditEvent
from provisioning.actions import ACTIONS, ActionContext
from provisioning.host_runner import HostRunner
from provisioning.lease import Lease
from provisioning.material import ClusterMaterial
from provisioning.models import Host, Snapshot, SnapshotState, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.operation_spec import operation_spec
from provisioning.run import Failure, TaskRun
from provisioning.snapshots import schedule_of, stale_members
from provisioning.snapshots_database import Database
from provisioning.snapshots_restore import BUMP, Raised
from provisioning.snapshots_store import folder_of, opened, path_of
from provisioning.ssh_types import RunResult
from tests.factories import ClusterFactory, TaskFactory
from tests.unit.clusters.cast import host, release
from tests.unit.provisioning.snapshot_rows import DATABASE, UID, snapshot

# The task's log is written by a thread of its own.
pytestmark = pytest.mark.django_db(transaction=True)

WITH_UID = DATABASE + UID.encode()


class FakeLink:
    """A connection to a host that answers a script with these bytes and lines."""

    alive = True

    def __init__(self, answer: bytes, lines: Iterable[str], status: int = 0) -> None:
        self.answer, self.lines, self.status = answer, list(lines), status
        self.asked = 0

    def fetch(
        self,
        script: str,
        sink: Callable[[bytes], object],
        on_line: Callable[[str], object],
        **_more: Any,
    ) -> RunResult:
        self.asked += 1
        for line in self.lines:
            on_line(line)
        for start in range(0, len(self.answer), 4096):
            sink(self.answer[start : start + 4096])
        return RunResult(self.status)

    def run(self, *_arguments: Any, **_more: Any) -> RunResult:
        return RunResult(0)

    def close(self) -> None:
        self.alive = False


def good_lines(plain: bytes, uid: str = UID, revision: int = 500) -> list[str]:
    status = {"hash": 9, "revision": 61, "totalKey": 70, "totalSize": len(plain)}
    endpoint = [{"Status": {"header": {"revision": revision}, "version": "3.4.23"}}]
    return [
        f"#status {json.dumps(status)}",
        f"#endpoint {json.dumps(endpoint)}",
        f"#uid {uid}",
        f"#sha256 {hashlib.sha256(plain).hexdigest()}",
        f"#size {len(plain)}",
    ]


def good(plain: bytes = WITH_UID, **more: Any) -> FakeLink:
    return FakeLink(gzip.compress(plain, 1), good_lines(plain, **more))


def sick(text: str = "etcd_unhealthy no leader") -> FakeLink:
    return FakeLink(b"", [f"#failed {text}"], status=1)


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def cluster(transactional_db):
    release()
    made = ClusterFactory(name="edge", seen=timezone.now())
    for number in (1, 2, 3):
        row = host(number)
        Host.objects.filter(pk=row.pk).update(
            cluster=made, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=number - 1
        )
    return made


def act(cluster, operation: str, action: str, links: list[FakeLink | None], **parameters) -> int:
    """Run one action as a worker would, on control planes 1, 2, 3 with these connections."""
    task = TaskFactory(
        cluster=cluster, operation=operation, status=TaskStatus.RUNNING, parameters=parameters,
        worker="w", fence=1,
    )  # fmt: skip
    row = task.steps.create(position=0, phase="p", phase_title="P", step=action, title="T")
    run = TaskRun(task, Lease(task))
    spec = operation_spec(cluster, operation, parameters)
    uploads = threading.Semaphore(1)
    runners = {}
    for place, link in zip(spec.control_plane, links, strict=True):
        if link is not None:
            runners[place.id] = HostRunner(run, Host.objects.get(pk=place.id), uploads)
            runners[place.id]._link = link  # type: ignore[assignment]
    first = next((h for h in spec.control_plane if h.id in runners), None)
    material = ClusterMaterial(cluster, run.lease)
    try:
        return ACTIONS[action](ActionContext(run, cluster, spec, first, runners, {}, material, row))
    finally:
        run.writer.close()


def take(cluster, *links: FakeLink | None) -> Snapshot:
    padded = [*links, *[None] * (3 - len(links))]
    assert act(cluster, "snapshot", "etcd-snapshot", padded, origin="hand") == 1
    return Snapshot.objects.get()


def refused_take(cluster, *links: FakeLink | None) -> Failure:
    with pytest.raises(Failure) as failed:
        take(cluster, *links)
    row = Snapshot.objects.get()
    assert row.state == SnapshotState.FAILED and row.state_reason
    # Nothing of it stays on the disk.
    assert not path_of(row).exists() and list(folder_of(cluster.pk).iterdir()) == []
    return failed.value


def test_what_is_kept_is_what_the_host_had(cluster):
    row = take(cluster, good())
    assert row.state == SnapshotState.READY
    assert (row.size, row.sha256) == (len(WITH_UID), hashlib.sha256(WITH_UID).hexdigest())
    assert (row.etcd_hash, row.total_keys, row.etcd_version) == (9, 70, "3.4.23")
    # The running store knows better than its file, after a restore.
    assert row.revision == 500 and schedule_of(cluster).highest_revision == 500
    with opened(row) as reader:
        assert b"".join(reader) == WITH_UID


def test_an_ill_or_full_member_is_passed_over(cluster):
    full = sick("disk_full 100 MiB are needed")
    row = take(cluster, sick(), full, good())
    assert row.host_name == "h3" and row.state == SnapshotState.READY


def test_when_none_can_the_first_ones_reason_counts(cluster):
    failure = refused_take(cluster, sick(), sick("disk_full no room"))
    assert failure.code == "etcd_unhealthy" and failure.host == "h1" and failure.hint


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no gzip at all",
        gzip.compress(WITH_UID)[:-9],
        gzip.compress(WITH_UID[:-1]),
        gzip.compress(WITH_UID + b"more"),
    ],
)
def test_what_arrives_otherwise_than_it_was_sent_is_not_kept(cluster, answer):
    failure = refused_take(cluster, FakeLink(answer, good_lines(WITH_UID)))
    assert failure.code == "checksum"


def test_bytes_without_end_fill_no_disk(cluster, monkeypatch):
    monkeypatch.setattr("provisioning.snapshots_take.LARGEST", 2_000_000)
    bomb = gzip.compress(b"\0" * 50_000_000)
    failure = refused_take(cluster, FakeLink(bomb, good_lines(WITH_UID)))
    assert failure.code == "checksum"


@pytest.mark.parametrize("missing", ["status", "endpoint", "sha256", "size"])
def test_a_host_that_does_not_say_what_it_sent(cluster, missing):
    lines = [line for line in good_lines(WITH_UID) if not line.startswith(f"#{missing}")]
    failure = refused_take(cluster, FakeLink(gzip.compress(WITH_UID), lines))
    assert failure.code == "snapshot_unclear"


def test_the_etcd_of_another_cluster_is_noticed(cluster):
    take(cluster, good())
    Snapshot.objects.all().delete()
    other = "11111111-2222-3333-4444-555555555555"
    for uid in (other, ""):
        failure = refused_take(cluster, good(uid=uid))
        assert failure.code == "wrong_cluster"
        Snapshot.objects.all().delete()


# --- restoring


def taken(cluster, **fields) -> Snapshot:
    schedule = schedule_of(cluster)
    schedule.cluster_uid = UID
    schedule.save()
    # Whole pages, as etcd writes them, and the namespace's UID somewhere in the last.
    content = DATABASE[:-32] + UID.encode() + b"\0" * (4096 - 36)
    content += hashlib.sha256(content).digest()
    return snapshot(cluster, **{"content": content, **fields})


def check(cluster, row: Snapshot, links: list[FakeLink | None] | None = None) -> None:
    there = links or [FakeLink(b"", []), FakeLink(b"", []), None]
    act(cluster, "restore", "restore-check", there, snapshot=row.pk, run="one")


def test_a_good_snapshot_passes_and_the_absent_are_named(cluster):
    row = taken(cluster)
    check(cluster, row)
    row.refresh_from_db()
    assert row.state == SnapshotState.READY


def test_a_damaged_one_is_refused_and_marked(cluster):
    row = taken(cluster)
    data = bytearray(path_of(row).read_bytes())
    data[len(data) // 2] ^= 4
    path_of(row).write_bytes(bytes(data))
    with pytest.raises(Failure) as failed:
        check(cluster, row)
    assert failed.value.code == "snapshot_damaged"
    row.refresh_from_db()
    assert row.state == SnapshotState.DAMAGED


def test_a_missing_file_and_a_missing_row(cluster):
    row = taken(cluster)
    path_of(row).unlink()
    with pytest.raises(Failure) as failed:
        check(cluster, row)
    assert failed.value.code == "snapshot_damaged"
    number = row.pk
    row.delete()
    row.pk = number
    with pytest.raises(Failure) as failed:
        check(cluster, row)
    assert failed.value.code == "snapshot_gone"


def test_another_clusters_snapshot_is_refused(cluster):
    row = taken(ClusterFactory())
    with pytest.raises(Failure) as failed:
        check(cluster, row)
    assert failed.value.code == "wrong_cluster"
    mine = taken(cluster, cluster_uid="11111111-2222-3333-4444-555555555555")
    with pytest.raises(Failure) as failed:
        check(cluster, mine)
    assert failed.value.code == "wrong_cluster"
    # What the row says is not believed: the namespace stands in the file, or it does not.
    lying = taken(cluster, content=DATABASE)
    with pytest.raises(Failure) as failed:
        check(cluster, lying)
    assert failed.value.code == "wrong_cluster"


def test_no_room_on_a_host_or_no_host_at_all(cluster):
    row = taken(cluster)
    with pytest.raises(Failure) as failed:
        check(cluster, row, [FakeLink(b"", []), sick("disk_full 9 MiB free"), None])
    assert failed.value.code == "disk_full" and failed.value.host == "h2"
    with pytest.raises(Failure) as failed:
        check(cluster, row, [None, None, None])
    assert "None of" in failed.value.found


def test_the_absent_may_not_take_part_again(cluster):
    row = taken(cluster)
    links = [FakeLink(b"", []), None, FakeLink(b"", [])]
    act(cluster, "restore", "restore-authority", links, snapshot=row.pk, run="one")
    assert [h.name for h in stale_members(cluster)] == ["h2"]
    Host.objects.filter(name="h2").update(cluster=None)
    assert stale_members(cluster) == []


def test_what_is_sent_has_the_raised_revision_and_a_new_digest_behind_it(cluster):
    row = taken(cluster)
    with opened(row) as reader:
        raised = Raised(reader, row.size, BUMP + 61)
        sent = b"".join(raised.pieces())
    assert len(sent) == raised.size == row.size
    assert hashlib.sha256(sent).hexdigest() == raised.sha256
    assert hashlib.sha256(sent[:-32]).digest() == sent[-32:]
    found = Database(lambda offset, size: sent[offset : offset + size]).compaction()
    assert {at for _offset, at in found.values()} == {BUMP + 61}
    assert io.BytesIO(sent).read(16) == DATABASE[:16]


def test_restoring_the_same_snapshot_twice_goes_up_twice(cluster):
    row = taken(cluster)
    seen = []
    for run in ("one", "two"):
        # The host breaks off: what was promised before it was sent stays promised.
        with pytest.raises(Failure):
            act(
                cluster, "restore", "restore-data", [FakeLink(b"", []), None, None],
                snapshot=row.pk, run=run,
            )  # fmt: skip
        seen.append(schedule_of(cluster).highest_revision)
    assert seen == [61 + BUMP, 61 + 2 * BUMP]
    assert not AuditEvent.objects.filter(action="snapshot.downloaded").exists()


def test_nothing_secret_is_in_the_parameters(cluster):
    row = taken(cluster)
    spec = operation_spec(cluster, "restore", {"snapshot": row.pk, "run": "one"})
    assert spec.request == {"snapshot": row.pk, "run": "one"}
    assert replace(spec).expendable == {h.id for h in spec.hosts}
