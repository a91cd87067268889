"""Whole watchers against a real HTTPS server: lists, watches, faults, leases."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from clusters.inventory.collections import Nodes
from clusters.inventory.kinds import BY_RESOURCE
from clusters.inventory.lease import Lease, LeaseLost, claim
from clusters.inventory.timing import Timing
from clusters.inventory.watcher import Watcher
from clusters.inventory.writing import Change, write
from clusters.models import Cluster, ClusterStatus
from tests.factories import ClusterFactory, NodeFactory
from tests.unit.clusters.apiserver import ApiServer, node
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.watching import FAST, until, watching

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


def names(cluster) -> list[str]:
    return sorted(cluster.nodes.values_list("name", flat=True))


def status(cluster) -> str:
    return Cluster.objects.get(pk=cluster.pk).status


def test_it_lists_and_then_follows_the_nodes(server):
    server.put(node("cp1", **{"node-role.kubernetes.io/control-plane": ""}))
    cluster = cluster_of(server, version="")
    NodeFactory(cluster=cluster, name="left-long-ago")
    with watching():
        until(lambda: names(cluster) == ["cp1"])
        row = cluster.nodes.get()
        assert (row.ready, row.roles, row.version) == (True, ["control-plane"], "v1.20.2")
        assert (row.address, row.capacity["memory"]) == ("10.77.0.11", "2048Mi")
        server.put(node("worker1"))
        until(lambda: names(cluster) == ["cp1", "worker1"])
        server.put(node("worker1", ready=False))
        until(lambda: not cluster.nodes.get(name="worker1").ready)
        assert "network plugin is not ready" in cluster.nodes.get(name="worker1").reason
        server.remove("worker1")
        until(lambda: names(cluster) == ["cp1"])
        until(lambda: Cluster.objects.get(pk=cluster.pk).version == "v1.20.2")
    assert server.count("watch=1") >= 1


def test_a_version_is_kept_without_what_no_database_takes(server):
    """PostgreSQL refuses NULs: each pulse failed, and the cluster's rows stood still."""
    server.git_version = "v1.20.2\x00\x1b[31m\n"
    cluster = cluster_of(server, version="")
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).version)
    assert Cluster.objects.get(pk=cluster.pk).version == "v1.20.2[31m"


def test_credentials_that_no_key_opens_are_said_as_any_other_outage(server, monkeypatch):
    """The thread ended instead, again and again, and the cluster stood there as active."""
    cluster = cluster_of(server)
    monkeypatch.setenv("FLOTILLA_KEY_RING", Fernet.generate_key().decode())
    with watching():
        until(lambda: status(cluster) == ClusterStatus.UNREACHABLE)
    assert "cannot open its credentials" in Cluster.objects.get(pk=cluster.pk).status_reason


def test_a_bookmark_moves_the_watch_on(server):
    cluster = cluster_of(server)
    server.put(node("a"))
    with watching(Timing(**{**FAST.__dict__, "watch": 1})):
        until(lambda: names(cluster) == ["a"])
        server.bookmark()
        until(lambda: server.count(f"resourceVersion={server.version}&"))
    assert server.count("nodes?limit=500") == 1, "no second list when the watch ended by itself"


def test_after_410_it_lists_again(server):
    cluster = cluster_of(server)
    server.put(node("a"))
    with watching():
        until(lambda: names(cluster) == ["a"])
        until(lambda: server.count("nodes?watch=1"))
        with server.lock:
            del server.nodes["a"]  # what happened is no longer in the history
            server.nodes["b"] = node("b")
            server.events.clear()
        server.compact()
        until(lambda: names(cluster) == ["b"])
    assert server.count("nodes?limit=500") >= 2


def test_after_a_cut_connection_it_goes_on_where_it_was(server):
    cluster = cluster_of(server)
    server.put(node("a"))
    with watching():
        until(lambda: names(cluster) == ["a"])
        until(lambda: server.count("nodes?watch=1"))
        server.cut()
        server.put(node("b"))
        until(lambda: names(cluster) == ["a", "b"])
    assert server.count("nodes?limit=500") == 1


def test_a_cluster_that_is_away_says_why_and_keeps_its_figures(server):
    server.put(node("a"))
    cluster = cluster_of(server)
    with watching():
        until(lambda: names(cluster) == ["a"])
        # The list may be there before the first pulse was.
        until(lambda: Cluster.objects.filter(pk=cluster.pk).exclude(seen=None).exists())
        server.down()
        until(lambda: status(cluster) == ClusterStatus.UNREACHABLE)
        cluster.refresh_from_db()
        assert "refuses connections" in cluster.status_reason
        assert names(cluster) == ["a"]
        since, seen = cluster.status_since, cluster.seen
        assert timezone.now() - since < timedelta(seconds=10)
        time.sleep(0.5)
        cluster.refresh_from_db()
        assert (cluster.status_since, cluster.seen) == (since, seen), "age is kept"
        server.up()
        until(lambda: status(cluster) == ClusterStatus.ACTIVE)
        cluster.refresh_from_db()
        assert cluster.status_reason == ""
        assert cluster.seen > seen
        server.put(node("b"))
        until(lambda: names(cluster) == ["a", "b"])


def test_a_server_that_is_not_ready_counts_as_away(server):
    cluster = cluster_of(server)
    with watching():
        server.ready = False
        until(lambda: status(cluster) == ClusterStatus.UNREACHABLE)
        assert "not ready" in Cluster.objects.get(pk=cluster.pk).status_reason


def test_one_slow_answer_changes_nothing(server):
    cluster = cluster_of(server)
    with watching(Timing(**{**FAST.__dict__, "pulse": 0.6})):
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        server.ready = False
        until(lambda: server.count("/readyz") >= 2)
        server.ready = True
        time.sleep(1.5)
        assert status(cluster) == ClusterStatus.ACTIVE
        row = Cluster.objects.get(pk=cluster.pk)
        assert row.status_since == cluster.status_since


def test_a_slow_cluster_does_not_hold_up_another(authority, server):
    with ApiServer(authority) as slow:
        slow.delay = 30
        away = cluster_of(slow)
        server.put(node("a"))
        good = cluster_of(server)
        with watching():
            until(lambda: names(good) == ["a"])
            until(lambda: status(away) == ClusterStatus.UNREACHABLE)
            assert status(good) == ClusterStatus.ACTIVE
            server.put(node("b"))
            until(lambda: names(good) == ["a", "b"])


def test_a_server_that_ends_every_watch_is_not_asked_in_a_tight_loop(server):
    cluster_of(server)
    with watching(Timing(**{**FAST.__dict__, "watch": 0})):
        time.sleep(2)
    assert server.count("nodes?watch=1") < 20


def test_answers_of_nonsense_do_no_harm(server):
    server.nodes = {
        "x": {"metadata": {"name": "x" * 300, "labels": [1]}, "spec": 7, "status": "?"},
        "y": {"metadata": None},
        "z": {"metadata": {"name": "z", "creationTimestamp": "2026-99-99T00:00:00Z"}},
        "nul": node("nul\x00"),
    }
    cluster = cluster_of(server)
    with watching():
        until(lambda: len(names(cluster)) == 3)
    assert names(cluster) == ["nul", "x" * 253, "z"]
    assert not cluster.nodes.get(name="z").ready


def test_a_cluster_in_creation_keeps_its_status_and_shows_its_nodes(server):
    server.put(node("a"))
    cluster = cluster_of(server, status=ClusterStatus.PROVISIONING)
    with watching():
        until(lambda: names(cluster) == ["a"])
        server.down()
        time.sleep(1)
        assert status(cluster) == ClusterStatus.PROVISIONING
        server.up()


def test_a_deletion_that_begins_is_not_overwritten(server):
    cluster = cluster_of(server)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        Cluster.objects.filter(pk=cluster.pk).update(status=ClusterStatus.DELETING)
        server.down()
        until(lambda: not Cluster.objects.get(pk=cluster.pk).watcher)
        time.sleep(0.5)
        assert status(cluster) == ClusterStatus.DELETING
        server.up()


def test_clusters_without_a_certificate_are_left_alone(db):
    ClusterFactory()
    assert claim("w", 10) == []


def test_two_watchers_share_and_never_watch_the_same(authority):
    with ApiServer(authority) as one:
        clusters = [cluster_of(one) for _ in range(6)]
        with watching(), watching():
            until(lambda: Cluster.objects.filter(watcher="").count() == 0)
            time.sleep(1)
            holders = set(Cluster.objects.values_list("watcher", flat=True))
        assert len(holders) == len(clusters), "a lease for each"
    assert set(Cluster.objects.values_list("watcher", flat=True)) == {""}, "all given back"


def test_another_watcher_takes_over_when_the_lease_runs_out(server):
    server.put(node("a"))
    cluster = cluster_of(server)
    frozen = claim("frozen", 1, seconds=1)[0]
    a_source = SimpleNamespace(collection=Nodes(BY_RESOURCE["nodes"]))
    assert claim("other", 1) == []
    with watching():
        until(lambda: names(cluster) == ["a"])
        with pytest.raises(LeaseLost):
            frozen.renew(seen=True)
        with pytest.raises(LeaseLost):
            write(frozen, [Change(a_source, 1, complete=frozenset())])
        with pytest.raises(LeaseLost):
            write(frozen, [Change(a_source, 1, gone=[("", "a")])])
        assert names(cluster) == ["a"]
        frozen.release()
        assert Cluster.objects.get(pk=cluster.pk).watcher.startswith(frozen.holder) is False
        assert Cluster.objects.get(pk=cluster.pk).watcher


def test_a_cluster_is_claimed_once_when_many_ask_at_the_same_moment(server):
    cluster_of(server)
    taken: list[Lease] = []
    barrier = threading.Barrier(6)

    def ask(n: int) -> None:
        try:
            barrier.wait()
            taken.extend(claim(f"w{n}", 5))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


@pytest.mark.django_db(transaction=True)
def test_rows_of_expired_sessions_go_and_others_stay() -> None:
    now = timezone.now()
    for key, days in (("old", -1), ("new", 1)):
        Session.objects.create(
            session_key=key, session_data="x", expire_date=now + timedelta(days=days)
        )
    watcher = Watcher(round_seconds=0.05)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    until(lambda: not Session.objects.filter(session_key="old").exists())
    watcher.stop()
    thread.join(10)
    assert Session.objects.filter(session_key="new").exists()
