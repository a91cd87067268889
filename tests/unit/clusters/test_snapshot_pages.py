"""Pages and REST routes of snapshots: what is shown, who may do what, what is remembered."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clusters.models import ClusterStatus
from console.accounts.sessions import CONFIRMED
from console.audit.models import AuditEvent
from provisioning.models import Host, Snapshot, SnapshotState, Task, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.snapshots import schedule_of
from provisioning.snapshots_store import path_of
from tests.factories import ClusterFactory, TaskFactory
from tests.unit.clusters.cast import host, release
from tests.unit.provisioning.snapshot_rows import DATABASE, snapshot


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def cluster(db):
    release()
    made = ClusterFactory(name="edge", seen=timezone.now())
    row = host(1)
    Host.objects.filter(pk=row.pk).update(
        cluster=made, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=0
    )
    return made


@pytest.fixture
def taken(cluster):
    return snapshot(cluster)


def tab(cluster) -> str:
    return reverse("clusters:tab", args=[cluster.pk, "snapshots"])


def page(name: str, row) -> str:
    return reverse(f"provisioning:snapshot-{name}", args=[row.pk])


def forget_password(client) -> None:
    session = client.session
    session[CONFIRMED] = int(time.time()) - 3600
    session.save()


# --- pages


def test_the_tab_says_what_there_is_and_what_it_lacks(cluster, admin_client):
    assert "No snapshots yet" in admin_client.get(tab(cluster)).content.decode()
    row = snapshot(cluster, hours_ago=3, revision=4711, etcd_version="3.4.23")
    failed = Snapshot.objects.create(
        cluster=cluster, origin="schedule", state=SnapshotState.FAILED,
        state_reason="node1: no leader <b>here</b>",
    )  # fmt: skip
    text = admin_client.get(tab(cluster)).content.decode()
    assert "4711" in text and "3.4.23" in text
    assert "no leader &lt;b&gt;here" in text
    for name in ("download", "restore", "delete"):
        assert page(name, row) in text
    assert page("restore", failed) not in text and page("delete", failed) in text


def test_a_failed_schedule_and_an_overdue_one_are_said(cluster, admin_client):
    schedule = schedule_of(cluster)
    schedule.last_failure, schedule.last_failure_at = "Task 7: disk full", timezone.now()
    schedule.next_due = timezone.now() - timedelta(hours=2)
    schedule.save()
    text = admin_client.get(tab(cluster)).content.decode()
    assert "Task 7: disk full" in text and "Due since" in text


def test_imported_clusters_have_none(admin_client):
    cluster = ClusterFactory(origin="imported")
    text = admin_client.get(tab(cluster)).content.decode()
    assert "no access to the etcd" in text
    assert reverse("provisioning:snapshot-take", args=[cluster.pk]) not in text
    answer = admin_client.post(reverse("provisioning:snapshot-take", args=[cluster.pk]))
    assert answer.status_code == 404


def test_taking_one_launches_a_task(cluster, operator_client):
    answer = operator_client.post(reverse("provisioning:snapshot-take", args=[cluster.pk]))
    task = Task.objects.get(operation="snapshot")
    assert answer["Location"] == reverse("provisioning:task", args=[task.pk])
    assert task.parameters["origin"] == "hand"
    answer = operator_client.post(
        reverse("provisioning:snapshot-take", args=[cluster.pk]), follow=True
    )
    assert "is running" in answer.content.decode()
    assert Task.objects.filter(operation="snapshot").count() == 1


def test_the_schedule_page_keeps_what_was_typed(cluster, operator_client):
    url = reverse("provisioning:snapshot-schedule", args=[cluster.pk])
    good = {"enabled": "on", "every_hours": "12", "keep_count": "5", "keep_days": "9"}
    text = operator_client.post(url, {**good, "every_hours": "0"}).content.decode()
    assert "is-invalid" in text and 'value="5"' in text
    assert operator_client.post(url, good).status_code == 302
    row = schedule_of(cluster)
    assert (row.every_hours, row.keep_count, row.keep_days) == (12, 5, 9)
    assert operator_client.post(url, {**good, "enabled": ""}).status_code == 302
    assert schedule_of(cluster).enabled is False


def test_a_download_is_the_plain_file_for_admins_with_a_fresh_password(
    taken, admin_client, operator_client, auditor_client, nobody_client
):
    url = page("download", taken)
    assert operator_client.post(url).status_code == 403
    assert auditor_client.post(url).status_code == 403
    assert nobody_client.post(url).status_code == 404
    assert not AuditEvent.objects.filter(action="snapshot.downloaded").exists()
    assert admin_client.get(url).status_code == 200
    answer = admin_client.post(url)
    assert b"".join(answer.streaming_content) == DATABASE
    assert answer["Content-Length"] == str(len(DATABASE))
    assert "no-store" in answer["Cache-Control"]
    event = AuditEvent.objects.get(action="snapshot.downloaded")
    assert event.after["sha256"] == taken.sha256
    assert event.actor.username == "ada"
    forget_password(admin_client)
    assert admin_client.post(url).status_code == 302


def test_a_damaged_one_is_not_handed_out_and_is_marked(taken, admin_client):
    data = bytearray(path_of(taken).read_bytes())
    data[-1] ^= 1
    path_of(taken).write_bytes(bytes(data))
    text = admin_client.post(page("download", taken)).content.decode()
    assert "damaged" in text
    taken.refresh_from_db()
    assert taken.state == SnapshotState.DAMAGED and taken.state_reason
    assert not AuditEvent.objects.filter(action="snapshot.downloaded").exists()


def test_the_restore_says_what_is_lost_and_wants_the_name(taken, cluster, operator_client):
    url = page("restore", taken)
    text = operator_client.get(url).content.decode()
    assert "Everything that was written to the cluster since" in text
    assert "etcdctl snapshot restore" in text
    assert operator_client.post(url, {"confirm_name": "other"}).status_code == 200
    assert not Task.objects.filter(operation="restore").exists()
    answer = operator_client.post(url, {"confirm_name": "edge"})
    task = Task.objects.get(operation="restore")
    assert answer["Location"] == reverse("provisioning:task", args=[task.pk])
    assert task.parameters["snapshot"] == taken.pk
    assert AuditEvent.objects.get(action="cluster.restored").after["snapshot"] == taken.pk
    forget_password(operator_client)
    assert operator_client.get(url).status_code == 302


def test_an_unreachable_cluster_can_be_restored_and_a_damaged_snapshot_not(
    taken, cluster, operator_client
):
    cluster.set_status(ClusterStatus.UNREACHABLE, "no quorum")
    assert (
        "etcdctl snapshot restore" in operator_client.get(page("restore", taken)).content.decode()
    )
    Snapshot.objects.filter(pk=taken.pk).update(state=SnapshotState.DAMAGED)
    text = operator_client.get(page("restore", taken)).content.decode()
    assert "not ready" in text and "etcdctl snapshot restore" not in text


def test_deleting_asks_for_the_revision_and_is_remembered(taken, operator_client):
    url = page("delete", taken)
    assert operator_client.post(url, {"confirm_name": "60"}).status_code == 200
    assert Snapshot.objects.exists()
    assert operator_client.post(url, {"confirm_name": str(taken.revision)}).status_code == 302
    assert not Snapshot.objects.exists()
    assert AuditEvent.objects.get(action="snapshot.removed").before["sha256"] == taken.sha256


# --- REST


def api(path: str) -> str:
    return f"/api/v1/{path}"


def test_the_list_is_of_one_cluster_and_without_keys(taken, cluster, auditor_api):
    snapshot(ClusterFactory())
    answer = auditor_api.get(api(f"clusters/{cluster.pk}/snapshots/")).json()
    assert [row["id"] for row in answer["results"]] == [taken.pk]
    assert "data_key" not in answer["results"][0]
    assert taken.data_key not in str(answer)
    assert auditor_api.get(api(f"snapshots/{taken.pk}/")).json()["sha256"] == taken.sha256


def test_taking_and_restoring_over_the_api(taken, cluster, operator_api, auditor_api):
    path = api(f"clusters/{cluster.pk}/restore/")
    assert auditor_api.post(path, {"snapshot": taken.pk}, format="json").status_code == 403
    answer = operator_api.post(f"{path}?dry_run=true", {"snapshot": taken.pk}, format="json")
    assert answer.status_code == 200 and answer.json()["plan"]["changes"] > 0
    assert not Task.objects.exists()
    answer = operator_api.post(path, {"snapshot": taken.pk}, format="json")
    assert answer.status_code == 202
    assert answer.json()["task"]["operation"] == "restore"
    answer = operator_api.post(api(f"clusters/{cluster.pk}/snapshots/"), format="json")
    assert answer.status_code == 409


@pytest.mark.parametrize("number", [0, -1, "x", None, 10**30, 999])
def test_what_is_no_snapshot_is_refused_by_field(cluster, operator_api, number):
    path = api(f"clusters/{cluster.pk}/restore/")
    answer = operator_api.post(path, {"snapshot": number}, format="json")
    assert answer.status_code == 400
    assert "snapshot" in answer.json()["errors"]


def test_another_clusters_snapshot_is_refused(cluster, operator_api):
    other = snapshot(ClusterFactory())
    path = api(f"clusters/{cluster.pk}/restore/")
    answer = operator_api.post(path, {"snapshot": other.pk}, format="json")
    assert answer.status_code == 400 and "snapshot" in answer.json()["errors"]
    assert not Task.objects.exists()


def test_the_schedule_over_the_api(cluster, operator_api, auditor_api):
    path = api(f"clusters/{cluster.pk}/snapshot-schedule/")
    assert auditor_api.get(path).json()["every_hours"] == 6
    assert auditor_api.put(path, {"enabled": False}, format="json").status_code == 403
    answer = operator_api.put(path, {"enabled": False, "keep_days": 3}, format="json")
    assert answer.status_code == 200 and answer.json()["keep_days"] == 3
    assert answer.json()["every_hours"] == 6
    answer = operator_api.put(path, {"keep_count": 0}, format="json")
    assert answer.status_code == 400 and "keep_count" in answer.json()["errors"]


def test_the_download_over_the_api(taken, admin_api, operator_api, nobody_api):
    path = api(f"snapshots/{taken.pk}/download/")
    assert operator_api.get(path).status_code == 403
    assert nobody_api.get(path).status_code == 404
    answer = admin_api.get(path)
    assert b"".join(answer.streaming_content) == DATABASE
    path_of(taken).unlink()
    assert admin_api.get(path).status_code == 409


def test_one_that_a_restore_works_with_cannot_be_deleted(taken, cluster, operator_api):
    path = api(f"snapshots/{taken.pk}/")
    task = TaskFactory(
        cluster=cluster, operation="restore", parameters={"snapshot": taken.pk},
        status=TaskStatus.RUNNING,
    )  # fmt: skip
    assert operator_api.delete(path).status_code == 409
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.SUCCEEDED)
    assert operator_api.delete(path).status_code == 204
