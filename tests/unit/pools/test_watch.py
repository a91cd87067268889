"""The watcher's rounds over pools, against the scripted API server."""

from __future__ import annotations

import json

import pytest

from clusters.inventory.lease import claim
from clusters.models import Cluster, ResourcePool
from clusters.upkeep import Upkeep
from tests.unit.clusters.apiserver import ApiServer, node
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_watcher import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ApiServer() as running:
        yield running


def watching(cluster: Cluster) -> Upkeep:
    lease = next(taken for taken in claim("me", 50) if taken.cluster_id == cluster.pk)
    watch = Upkeep(lease, period=0.1)
    watch.start()
    return watch


def test_a_cluster_without_pools_is_not_asked_and_one_with_a_pool_is(server) -> None:
    cluster = cluster_of(server)
    watch = watching(cluster)
    row = ResourcePool.objects.create(cluster=cluster, name="gold", nodes=["ghost"])
    until(lambda: ResourcePool.objects.get(pk=row.pk).checked)
    watch.stop()
    watch.join(5)
    assert not watch.is_alive()
    assert "no node of this name" in ResourcePool.objects.get(pk=row.pk).problem


def test_a_cluster_that_is_away_is_said_at_the_pool(server) -> None:
    cluster = cluster_of(server)
    row = ResourcePool.objects.create(cluster=cluster, name="gold", nodes=["n1"])
    server.down()
    watch = watching(cluster)
    until(lambda: "refuses connections" in ResourcePool.objects.get(pk=row.pk).problem)
    watch.stop()
    watch.join(5)
    server.up()


def test_without_the_lease_no_node_is_changed(server) -> None:
    server.put(node("n1"))
    cluster = cluster_of(server)
    ResourcePool.objects.create(cluster=cluster, name="gold", nodes=["n1"])
    lease = next(taken for taken in claim("me", 50) if taken.cluster_id == cluster.pk)
    Cluster.objects.update(watcher="another")
    watch = Upkeep(lease, period=0.1)
    watch.start()
    watch.join(8)
    assert not watch.is_alive()
    assert server.requests == [], json.dumps(server.requests)


def test_an_answer_that_makes_no_sense_does_not_end_the_rounds(server) -> None:
    """The figures stood still and the roles were never put right, until the watcher's restart."""
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    server.paths[roles] = {"items": [{"kind": "ClusterRole"}], "metadata": {}}
    watch = watching(cluster_of(server))
    until(lambda: server.count("clusterroles"))
    watch.join(1)
    assert watch.is_alive()
    watch.stop()
    watch.join(5)
