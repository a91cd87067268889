"""Whole watchers beside a control plane of real servers: what is kept, and the cluster's status."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from clusters import busy
from clusters.inventory.control_plane import ControlPlaneWatch
from clusters.inventory.lease import LeaseLost, claim
from clusters.inventory.timing import Timing
from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth
from tests.factories import ClusterFactory, TaskFactory
from tests.unit.clusters.apiserver import node
from tests.unit.clusters.controlplane import ControlPlane
from tests.unit.clusters.test_watcher import names, status, until, watching

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plane():
    with ControlPlane(3) as running:
        for host in running.hosts:
            host.api.put(node("cp1"))
        yield running


def timing(plane: ControlPlane) -> Timing:
    return Timing(
        pulse=0.3, answer=1.5, lease=5, watch=3, first_pause=0.05, longest_pause=0.3,
        look=2.0, look_soon=0.1, look_calm=0.2, ports=plane.ports,
    )  # fmt: skip


def health(cluster) -> ControlPlaneHealth | None:
    return ControlPlaneHealth.objects.filter(cluster=cluster).first()


def well(cluster) -> ControlPlaneHealth | None:
    """The row once a look found nothing wrong: the first ones may meet a busy machine."""
    row = health(cluster)
    return row if row and not row.problems else None


def codes(cluster) -> set[str]:
    row = health(cluster)
    return {problem["code"] for problem in row.problems} if row else set()


def test_a_healthy_cluster_is_kept_and_stays_active(plane):
    cluster = plane.cluster()
    with watching(timing(plane)):
        first = until(lambda: well(cluster))
        row = until(lambda: (now := well(cluster)) and now.probed > first.probed and now)
        assert row.fresh
        assert row.etcd_revision == 1234
        assert row.data["vip"]["holder"]["name"] == "cp1"
        assert row.data["etcd"]["leader"] == "cp1"
        assert (row.data["etcd"]["healthy"], row.data["etcd"]["needed"]) == (3, 2)
        assert row.changed == first.changed, "nothing but figures moved"
        assert status(cluster) == ClusterStatus.ACTIVE


def test_vip_down_members_up_and_back_again(plane):
    cluster = plane.cluster()
    with watching(timing(plane)):
        until(lambda: names(cluster) == ["cp1"] and well(cluster))
        plane.vip_down()
        until(lambda: status(cluster) == ClusterStatus.DEGRADED)
        cluster.refresh_from_db()
        assert f"The virtual IP {plane.vip} is down, 3 of 3" in cluster.status_reason
        assert "vip_down" in codes(cluster)
        # The inventory goes on through a member.
        seen = Cluster.objects.get(pk=cluster.pk).seen
        for host in plane.hosts:
            host.api.put(node("worker1"))
        until(lambda: names(cluster) == ["cp1", "worker1"])
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen > seen)
        plane.vip_up()
        until(lambda: status(cluster) == ClusterStatus.ACTIVE)
        cluster.refresh_from_db()
        assert cluster.status_reason == ""
        assert codes(cluster) == set()


def test_a_control_plane_that_is_away_degrades_and_all_of_them_are_unreachable(plane):
    cluster = plane.cluster()
    with watching(timing(plane)):
        until(lambda: well(cluster))
        plane.hosts[2].down()
        until(lambda: status(cluster) == ClusterStatus.DEGRADED)
        until(lambda: {"api_down", "proxy_down", "etcd_down", "quorum_edge"} <= codes(cluster))
        since = Cluster.objects.get(pk=cluster.pk).status_since
        time.sleep(0.5)
        assert Cluster.objects.get(pk=cluster.pk).status_since == since
        for host in plane.hosts[:2]:
            host.down()
        plane.vip_down()
        until(lambda: status(cluster) == ClusterStatus.UNREACHABLE)
        for host in plane.hosts[:2]:
            host.up()
        plane.vip_up()
        until(lambda: "of cp3" in Cluster.objects.get(pk=cluster.pk).status_reason)
        assert status(cluster) == ClusterStatus.DEGRADED
        plane.hosts[2].up()
        until(lambda: status(cluster) == ClusterStatus.ACTIVE)


def test_a_failover_of_a_moment_changes_no_status(plane):
    cluster = plane.cluster()
    calm = replace(timing(plane), look_soon=0.6, look_calm=0.6)
    with watching(calm):
        until(lambda: well(cluster))
        since = Cluster.objects.get(pk=cluster.pk).status_since
        plane.hosts[1].relay.down()
        plane.hosts[1].stats.down()
        until(lambda: "proxy_down" in codes(cluster))
        plane.hosts[1].relay.up()
        plane.hosts[1].stats.up()
        until(lambda: codes(cluster) == set())
        row = Cluster.objects.get(pk=cluster.pk)
        assert (row.status, row.status_since) == (ClusterStatus.ACTIVE, since)


def test_layers_come_up_one_by_one_while_the_cluster_is_being_created(plane):
    plane.vip_down()
    for host in plane.hosts:
        host.down()
    cluster = plane.cluster(status=ClusterStatus.PROVISIONING)
    with watching(timing(plane)):
        until(lambda: health(cluster))
        plane.hosts[0].etcd.up()
        until(lambda: health(cluster).data["members"][0]["etcd"]["state"] == "up")
        assert health(cluster).data["members"][0]["api"]["state"] == "down"
        plane.hosts[0].api._listen(plane.ports.api)
        plane.hosts[0].api_up = True
        until(lambda: health(cluster).data["members"][0]["api"]["state"] == "up")
        assert status(cluster) == ClusterStatus.PROVISIONING
        Cluster.objects.filter(pk=cluster.pk).update(status=ClusterStatus.DELETING)
        until(lambda: not Cluster.objects.get(pk=cluster.pk).watcher)
        assert status(cluster) == ClusterStatus.DELETING


def test_a_deletion_that_begins_is_not_made_degraded(plane):
    cluster = plane.cluster()
    with watching(timing(plane)):
        until(lambda: health(cluster))
        Cluster.objects.filter(pk=cluster.pk).update(status=ClusterStatus.DELETING)
        plane.hosts[2].down()
        until(lambda: not Cluster.objects.get(pk=cluster.pk).watcher)
        time.sleep(0.5)
        assert status(cluster) == ClusterStatus.DELETING


def test_a_watcher_that_lost_its_lease_keeps_nothing(plane):
    cluster = plane.cluster()
    frozen = ControlPlaneWatch(claim("frozen", 1, seconds=1)[0], timing(plane), lambda: None)
    time.sleep(1.2)
    mine = claim("other", 1, seconds=30)
    assert mine
    with pytest.raises(LeaseLost):
        frozen._once()
    assert health(cluster) is None
    ControlPlaneWatch(mine[0], timing(plane), lambda: None)._once()
    assert health(cluster).problems == []


def test_the_revision_never_goes_back(plane):
    cluster = plane.cluster()
    watch = ControlPlaneWatch(claim("w", 1, seconds=30)[0], timing(plane), lambda: None)
    watch._once()
    for host in plane.hosts:
        host.status = {"header": {"member_id": str(host.id), "revision": "7"}}
    watch._once()
    assert health(cluster).etcd_revision == 1234


def test_new_certificates_are_taken_up(plane):
    cluster = plane.cluster()
    cluster.secrets.filter(name="console/etcd-client.crt").update(name="kept")
    watch = ControlPlaneWatch(claim("w", 1, seconds=30)[0], timing(plane), lambda: None)
    watch._once()
    assert codes(cluster) == {"etcd_no_certificate"}
    cluster.secrets.filter(name="kept").update(name="console/etcd-client.crt")
    watch._once()
    assert codes(cluster) == set()


def test_it_looks_more_often_while_something_goes_on(plane, monkeypatch):
    cluster = plane.cluster()
    watch = ControlPlaneWatch(claim("w", 1, seconds=30)[0], timing(plane), lambda: None)
    assert watch._once() == 0.2
    busy.register(at_work)
    try:
        assert watch._once() == 0.1
    finally:
        busy._checks.remove(at_work)
    assert watch._once() == 0.2
    plane.hosts[0].relay.down()
    assert watch._once() == 0.1
    plane.hosts[0].relay.up()
    Cluster.objects.filter(pk=cluster.pk).update(status=ClusterStatus.PROVISIONING)
    assert watch._once() == 0.1


def test_a_task_that_waits_or_runs_makes_its_cluster_busy():
    task = TaskFactory(cluster=ClusterFactory())
    other = ClusterFactory()
    assert busy.is_busy(task.cluster)
    assert not busy.is_busy(other)


def at_work(_cluster: Cluster) -> bool:
    return True


def test_a_lightweight_cluster_is_looked_at_with_the_same_code():
    with ControlPlane(1) as plane:
        cluster = plane.cluster()
        cluster.vip, cluster.endpoint = None, plane.hosts[0].api.endpoint
        cluster.save()
        with watching(timing(plane)):
            row = until(lambda: well(cluster))
            assert row.data["vip"] is None
            assert row.data["members"][0]["api"]["state"] == "up"
            assert status(cluster) == ClusterStatus.ACTIVE
            plane.hosts[0].etcd.answer = lambda _path, _body: (500, b"{}")
            until(lambda: status(cluster) == ClusterStatus.DEGRADED)


def test_a_cluster_whose_members_are_not_known_is_watched_as_ever(plane):
    cluster = plane.cluster()
    cluster.options = {}
    cluster.save()
    with watching(timing(plane)):
        until(lambda: names(cluster) == ["cp1"])
        time.sleep(0.5)
        assert health(cluster) is None
        plane.vip_down()
        until(lambda: status(cluster) == ClusterStatus.UNREACHABLE)
