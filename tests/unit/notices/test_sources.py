"""What is told of clusters, nodes, tasks and snapshots, and the expiry radar."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clusters import notices as clusters_notices
from clusters.inventory.watcher import Watcher
from clusters.models import Cluster, ClusterStatus, Origin
from console.accounts.models import ApiToken, User
from console.notices import courier, expiry
from console.notices.catalogue import sentence
from console.notices.models import Notice
from console.notices.rounds import Rounds, forget_old
from console.notices.telling import over, tell
from provisioning import notices as provisioning_notices
from provisioning.engine import run_task
from provisioning.lease import Lease, claim
from provisioning.models_snapshots import Snapshot, SnapshotState
from tests.factories import (
    ClusterFactory,
    ClusterSecretFactory,
    NodeFactory,
    SSHCredentialFactory,
    TaskFactory,
)
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_watcher import FAST, until
from tests.unit.notices.conftest import make_channel, pass_time

pytestmark = pytest.mark.django_db


def opened() -> list[tuple[str, str]]:
    rows = Notice.objects.filter(resolved=None).order_by("kind", "key")
    return list(rows.values_list("kind", "subject_name"))


def sent() -> list[tuple[str, str]]:
    said = []
    while (delivery := courier.claim()) is not None:
        courier.finish(delivery, ok=True, answer="")
        said.append((str(delivery.message), delivery.notice.kind))
    return said


def test_clusters_by_their_status() -> None:
    make_channel()
    cluster = ClusterFactory(name="prod")
    ClusterFactory(name="new", status=ClusterStatus.PROVISIONING)
    clusters_notices.scan()
    assert opened() == []
    cluster.set_status(ClusterStatus.DEGRADED, "etcd has 2 of 3 members")
    clusters_notices.scan()
    clusters_notices.scan()
    assert opened() == [("cluster.degraded", "prod")]
    assert sent() == [("opened", "cluster.degraded")]
    cluster.set_status(ClusterStatus.UNREACHABLE, "connection refused")
    clusters_notices.scan()
    assert opened() == [("cluster.away", "prod")]
    assert sent() == [("opened", "cluster.away")], "away is no good news of degraded"
    cluster.set_status(ClusterStatus.ACTIVE)
    clusters_notices.scan()
    assert opened() == []
    assert sent() == [("resolved", "cluster.away")]


def test_a_cluster_that_is_deleted_is_not_told_to_be_well() -> None:
    make_channel()
    cluster = ClusterFactory(name="prod", status=ClusterStatus.UNREACHABLE)
    NodeFactory(cluster=cluster, ready=False)
    clusters_notices.scan()
    sent()
    cluster.delete()
    clusters_notices.scan()
    assert (opened(), sent()) == ([], [])


def test_nodes_of_clusters_that_answer() -> None:
    make_channel()
    here, away = ClusterFactory(name="here"), ClusterFactory(name="away")
    for cluster in (here, away):
        NodeFactory(
            cluster=cluster, name=f"{cluster.name}-1", ready=False, reason="kubelet stopped"
        )
        NodeFactory(cluster=cluster, name=f"{cluster.name}-2")
    clusters_notices.scan()
    assert [name for _kind, name in opened()] == ["here-1", "away-1"]
    assert "kubelet stopped" in Notice.objects.first().values["reason"]
    sent()
    away.set_status(ClusterStatus.UNREACHABLE, "gone")
    away.nodes.update(ready=True)
    here.nodes.update(ready=True)
    clusters_notices.scan()
    assert opened() == [("cluster.away", "away"), ("node.not_ready", "away-1")]
    assert ("resolved", "node.not_ready") in sent()
    away.nodes.all().delete()
    away.set_status(ClusterStatus.ACTIVE)
    clusters_notices.scan()
    assert opened() == []
    assert sent() == [("resolved", "cluster.away")], "a node that is gone is not ready again"


def test_the_scan_of_a_large_fleet_costs_the_same_number_of_queries(
    django_assert_max_num_queries,
) -> None:
    for n in range(40):
        NodeFactory.create_batch(3, cluster=ClusterFactory(name=f"c{n}"))
    with django_assert_max_num_queries(8):
        clusters_notices.scan()


@contextmanager
def watching():
    watcher = Watcher(FAST, round_seconds=0.1)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        watcher.stop()
        thread.join(10)


@pytest.mark.django_db(transaction=True)
def test_a_watcher_tells_in_the_moment_when_the_status_changes() -> None:
    with ApiServer(Authority()) as server:
        cluster = cluster_of(server, name="prod")
        other = ClusterFactory(name="other", status=ClusterStatus.UNREACHABLE)
        clusters_notices.status_changed(other.pk)
        with watching():
            until(lambda: type(cluster).objects.get(pk=cluster.pk).seen)
            server.down()
            until(lambda: ("cluster.away", "prod") in opened())
            server.up()
            until(lambda: opened() == [("cluster.away", "other")])


def test_the_end_of_a_task(operator: User) -> None:
    make_channel()
    kinds = {"succeeded": "task.succeeded", "failed": "task.failed", "error": "task.failed"}
    for status, kind in kinds.items():
        task = TaskFactory(status=status, attempt=1, failure={"found": "no space"})
        for _ in range(2):
            provisioning_notices.task_ended(task)
        notice = Notice.objects.get(subject_id=str(task.pk))
        assert (notice.kind, notice.link) == (kind, f"/tasks/{task.pk}/")
    provisioning_notices.task_ended(TaskFactory(status="canceled"))
    assert Notice.objects.count() == 3
    assert {kind for _message, kind in sent()} == {"task.failed"}


@pytest.mark.django_db(transaction=True)
def test_a_task_that_a_worker_ran_is_told() -> None:
    TaskFactory(operation="of another version", title="Odd")
    task = claim("default", "tests:1:1")
    run_task(task, Lease(task))
    assert [n.values["title"] for n in Notice.objects.filter(kind="task.failed")] == ["Odd"]


def test_snapshots_that_are_no_good() -> None:
    cluster = ClusterFactory(name="prod")
    Snapshot.objects.create(cluster=cluster, state=SnapshotState.READY)
    Snapshot.objects.create(cluster=cluster, state=SnapshotState.FAILED, state_reason="disk full")
    Snapshot.objects.create(cluster=cluster, state=SnapshotState.TAKING)
    provisioning_notices.scan_snapshots()
    assert opened() == [("snapshot.failed", "prod")]
    assert Notice.objects.get().values["reason"] == "disk full"
    Snapshot.objects.create(cluster=cluster, state=SnapshotState.READY)
    provisioning_notices.scan_snapshots()
    assert opened() == []


# -- expiry -------------------------------------------------------------------------------


def token(user: User, days: float, name: str = "ci") -> ApiToken:
    made, _plain = ApiToken.issue(user, name, 1)
    made.expires = timezone.now() + timedelta(days=days)
    made.save()
    return made


def test_there_is_one_message_for_each_threshold(operator: User) -> None:
    make_channel()
    made = token(operator, 40)
    said = []
    for days in (40, 29, 20, 8, 6.5, 3, 1.5, 0.9, 0.1, -2):
        ApiToken.objects.update(expires=timezone.now() + timedelta(days=days))
        for _ in range(2):
            expiry.scan()
        said += [(days, message) for message, _kind in sent()]
        pass_time(3600)
    assert said == [(29, "opened"), (6.5, "opened"), (0.9, "opened")]
    (last,) = Notice.objects.filter(resolved=None)
    assert (last.severity, last.owner) == ("critical", operator)
    ApiToken.objects.filter(pk=made.pk).update(revoked=timezone.now())
    expiry.scan()
    assert [message for message, _kind in sent()] == ["resolved"]
    assert opened() == []


def test_what_is_found_late_is_told_once_at_the_narrowest_threshold(operator: User) -> None:
    make_channel()
    token(operator, 5)
    expiry.scan()
    assert [n.values["days"] for n in Notice.objects.all()] == [7]
    assert len(sent()) == 1


def test_certificates_end_with_the_first_of_them(admin: User) -> None:
    cluster = ClusterFactory(name="prod")
    authority = Authority()
    for name, days in (("a", 300), ("b", 20), ("c", 60)):
        certificate, _key = authority.client(name, timedelta(days=days))
        ClusterSecretFactory(cluster=cluster, name=f"hosts/{name}.crt", value=certificate)
    (found,) = [t for t in expiry.radar(admin) if t.type == "certificate"]
    assert found.cluster == "prod" and found.link == f"/clusters/{cluster.pk}/certificates/"
    assert 18 < (found.expires - timezone.now()).days < 21
    expiry.scan()
    notice = Notice.objects.get()
    assert (notice.cluster, notice.values["days"]) == ("prod", 30)


@pytest.mark.skipif(
    not hasattr(Cluster, "credentials_expire"), reason="clusters cannot be imported yet"
)
def test_credentials_of_imported_clusters_end(admin: User) -> None:
    ends = timezone.now() + timedelta(days=6)
    ClusterFactory(name="theirs", origin=Origin.IMPORTED, credentials_expire=ends)
    ClusterFactory(name="for ever", origin=Origin.IMPORTED)
    (found,) = expiry.radar(admin)
    assert (found.type, found.name, found.expires) == ("credential", "theirs", ends)
    expiry.scan()
    assert "credential of the cluster “theirs” ends" in sentence(
        "expiry.near", Notice.objects.get().values
    )


def test_ssh_keys_end_with_the_day_that_is_stated(admin: User, auditor: User, nobody: User) -> None:
    make_channel()
    day = timezone.localdate() + timedelta(days=6)
    row = SSHCredentialFactory(name="fleet", valid_until=day)
    SSHCredentialFactory(name="for ever")
    (found,) = expiry.radar(auditor)
    assert (found.type, found.name) == ("ssh_key", "fleet")
    assert found.link == f"/settings/credentials/{row.pk}/"
    assert timezone.localtime(found.expires).isoformat()[:16] == f"{day}T00:00"
    assert expiry.radar(nobody) == []
    expiry.scan()
    notice = Notice.objects.get()
    assert (notice.values["days"], notice.permission) == (7, "credentials.view")
    assert "The SSH key “fleet” ends" in sentence("expiry.near", notice.values)
    assert [message for message, _kind in sent()] == ["opened"]
    row.valid_until = day + timedelta(days=365)
    row.save()
    expiry.scan()
    assert (opened(), [message for message, _kind in sent()]) == ([], ["resolved"])


def test_the_overview_warns_of_an_ssh_key(admin_client: Client) -> None:
    day = timezone.localdate() + timedelta(days=20)
    SSHCredentialFactory(name="<b>fleet</b>", valid_until=day)
    assert "&lt;b&gt;fleet&lt;/b&gt;" in admin_client.get("/").content.decode()
    assert "&lt;b&gt;fleet&lt;/b&gt;" in admin_client.get("/expiry/").content.decode()


def test_certificates_are_read_again_only_when_one_changes(
    admin: User, django_assert_num_queries
) -> None:
    certificate, _key = Authority().client("x", timedelta(days=20))
    row = ClusterSecretFactory(name="x.crt", value=certificate)
    first = provisioning_notices.certificates_expiring()
    with django_assert_num_queries(2):
        assert provisioning_notices.certificates_expiring() is first
    row.value, _key = Authority().client("x", timedelta(days=200))
    row.save()
    assert provisioning_notices.certificates_expiring()[0].expires > first[0].expires


def test_the_radar_is_sorted_and_shows_each_what_they_may_see(
    admin: User, operator: User, nobody: User
) -> None:
    token(operator, 50, "later")
    token(operator, 5, "soon")
    token(nobody, -3, "ended")
    token(admin, 100, "far")
    names = {u: [t.name.split(" ")[0] for t in expiry.radar(u)] for u in (admin, operator, nobody)}
    assert names[admin] == ["ended", "soon", "later"]
    assert names[operator] == ["soon", "later"]
    assert [t.name for t in expiry.radar(admin, days=365)][-1].startswith("far")


def test_the_page_of_what_ends(admin_client: Client, admin: User) -> None:
    assert "Nothing ends soon" in admin_client.get("/expiry/").content.decode()
    token(admin, 5, "<b>ci</b>")
    token(admin, 0.5, "tonight")
    token(admin, -1, "gone")
    text = admin_client.get("/expiry/").content.decode()
    for word in ("Ends within a day", "Ends within 30 days", "Expired", "&lt;b&gt;ci", "revoke"):
        assert word in text


# -- rounds -------------------------------------------------------------------------------


def test_old_notices_are_forgotten_but_not_what_still_holds() -> None:
    make_channel()
    tell("cluster.away", "1", {"name": "a"}, "critical")
    tell("cluster.away", "2", {"name": "b"}, "critical")
    tell("task.failed", "3", {"title": "c"}, "warning")
    over("cluster.away", "2")
    sent()
    pass_time(91 * 24 * 3600)
    tell("task.failed", "4", {"title": "d"}, "warning")
    forget_old()
    assert sorted(Notice.objects.values_list("key", flat=True)) == ["1", "4"]


@pytest.mark.django_db(transaction=True)
def test_the_rounds_of_a_watcher_find_what_is_so(operator: User) -> None:
    ClusterFactory(name="prod", status=ClusterStatus.UNREACHABLE)
    token(operator, 5)
    several = [Rounds(0.05), Rounds(0.05)]
    for one in several:
        one.start()
    try:
        until(lambda: len(opened()) == 2, 20)
    finally:
        for one in several:
            one.stop()
        for one in several:
            one.join(20)
    assert [kind for kind, _name in opened()] == ["cluster.away", "expiry.near"]
