"""Rounds against a real HTTPS server: kubelets that answer, hang, forbid and are away."""

from __future__ import annotations

import json
import threading
import time

import pytest

from clusters.inventory.lease import claim
from clusters.kube import connect, disconnect
from clusters.kube.metrics_api import Use
from clusters.metrics.collector import KUBELET, PATIENCE, SERVER, Collector
from clusters.metrics.timing import MetricsTiming
from clusters.metrics.watch import MetricsWatch
from clusters.models import Cluster, ClusterStatus, MetricFrame, MetricState
from clusters.models_metrics import Of
from tests.factories import NodeFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of
from tests.unit.metrics.kubelets import TEXT, Kubelet, resource_text

pytestmark = pytest.mark.django_db(transaction=True)

FAST = MetricsTiming(period=0.2, jitter=0.0, answer=0.6, round=1.5, parallel=2, longest_pause=0.2)
WHOLE = (Of.CLUSTER, "", "")


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


@pytest.fixture
def conn(server):
    cluster = cluster_of(server)
    yield connect(cluster)
    disconnect(cluster.pk)


def never() -> bool:
    return False


def status(code: int, message: str):
    body = {"kind": "Status", "status": "Failure", "message": message, "code": code}
    return code, {"Content-Type": "application/json"}, json.dumps(body).encode()


def test_two_rounds_over_two_kubelets_make_totals(server, conn) -> None:
    one, two = Kubelet(server, "n1"), Kubelet(server, "n2")
    collector = Collector(FAST)
    nodes = {"n1": True, "n2": True}
    one.text = resource_text(10, 1000, 100, {("shop", "a"): {"c": (1.0, 10)}})
    two.text = resource_text(20, 1000, 200, {("shop", "b"): {"c": (1.0, 20)}, ("x", "c"): {}})
    first = collector.collect(conn, nodes, never)
    assert (first.source, first.problems) == (KUBELET, ())
    assert first.uses[WHOLE] == Use(None, 300)
    one.text = resource_text(25, 1030, 110, {("shop", "a"): {"c": (4.0, 11)}})
    two.text = resource_text(50, 1030, 220, {("shop", "b"): {"c": (7.0, 22)}})
    second = collector.collect(conn, nodes, never)
    assert second.uses[WHOLE] == Use(pytest.approx(1.5), 330)
    assert second.uses[Of.NODE, "", "n2"] == Use(pytest.approx(1.0), 220)
    assert second.uses[Of.POD, "shop", "a"] == Use(pytest.approx(0.1), 11)
    assert second.uses[Of.NAMESPACE, "", "shop"] == Use(pytest.approx(0.3), 33)
    assert server.count("metrics.k8s.io") == 1, "what is not served is not asked for each time"


def test_an_old_kubelet_serves_the_path_of_its_trial(server, conn) -> None:
    kubelet = Kubelet(server, "n1", "metrics/resource/v1alpha1")
    kubelet.text = resource_text(1, 1000)
    collector = Collector(FAST)
    for _ in range(3):
        assert collector.collect(conn, {"n1": True}, never).uses[WHOLE].memory == 100_000_000
    assert server.count("proxy/metrics/resource/v1alpha1") == 3
    assert server.count("proxy/metrics/resource") == 4, "it is found out once"


def test_a_kubelet_that_hangs_holds_up_no_other_and_the_totals_wait(server, conn) -> None:
    names = [f"n{i}" for i in range(5)]
    kubelets = [Kubelet(server, name) for name in names]
    for kubelet in kubelets:
        kubelet.text = resource_text(1, 1000)
    nodes = dict.fromkeys(names, True)
    collector = Collector(FAST)
    assert WHOLE in collector.collect(conn, nodes, never).uses
    kubelets[0].hangs.set()
    try:
        found = collector.collect(conn, nodes, never)
        assert {key[2] for key in found.uses if key[0] == Of.NODE} == set(names[1:])
        assert WHOLE not in found.uses, "a sum without a node would look like a fall"
        assert [(p.code, p.node) for p in found.problems] == [("slow", "n0")]
        for _ in range(PATIENCE):
            found = collector.collect(conn, nodes, never)
        assert found.uses[WHOLE].memory == 400_000_000, "later the totals go on without it"
        assert [p.node for p in found.problems] == ["n0"], "and it is named"
    finally:
        kubelets[0].goes_on.set()
    kubelets[0].hangs.clear()
    time.sleep(FAST.longest_pause)
    found = collector.collect(conn, nodes, never)
    assert (found.problems, found.uses[WHOLE].memory) == ((), 500_000_000)


def test_a_node_that_is_not_ready_is_not_waited_for(server, conn) -> None:
    Kubelet(server, "n1").text = resource_text(1, 1000)
    away = Kubelet(server, "n2")
    away.answer = None
    server.paths["/api/v1/nodes/n2/proxy/metrics/resource"] = lambda: status(
        503, "error trying to reach service: dial tcp 10.0.0.2:10250: connect: connection refused"
    )
    found = Collector(FAST).collect(conn, {"n1": True, "n2": False}, never)
    assert found.uses[WHOLE].memory == 100_000_000
    assert [(p.code, p.node) for p in found.problems] == [("kubelet-away", "n2")]
    assert "connection refused" in found.problems[0].detail


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (status(403, 'User "x" cannot get resource "nodes/proxy"'), "forbidden"),
        ((403, TEXT, b"Forbidden (user=kube-apiserver, verb=get)"), "kubelet-forbids"),
        (status(404, "the server could not find the requested resource"), "not-served"),
        ((401, TEXT, b"Unauthorized"), "refused"),
    ],
)
def test_why_there_are_no_figures(server, conn, answer, code) -> None:
    for path in ("metrics/resource", "metrics/resource/v1alpha1"):
        server.paths[f"/api/v1/nodes/n1/proxy/{path}"] = lambda: answer
    found = Collector(FAST).collect(conn, {"n1": True}, never)
    assert (found.source, found.uses) == ("", {})
    assert [(p.code, p.node) for p in found.problems] == [(code, "n1")]


def test_a_kubelet_that_sends_without_end_is_cut_off(server, conn) -> None:
    server.paths["/api/v1/nodes/n1/proxy/metrics/resource"] = lambda: (200, TEXT, b"a" * 200_000)
    server.paths["/api/v1/nodes/n2/proxy/metrics/resource"] = lambda: (
        200,
        TEXT,
        b"a 1\n" * 3_000_000,
    )
    found = Collector(FAST).collect(conn, {"n1": True, "n2": True}, never)
    assert found.uses == {} and len(found.problems) == 2


def metrics_server(server: ApiServer, cpu: str = "250m") -> None:
    server.paths["/apis/metrics.k8s.io/v1beta1/nodes"] = {
        "items": [
            {"metadata": {"name": "n1"}, "usage": {"cpu": cpu, "memory": "1Gi"}},
            {"metadata": {"name": "<b>"}, "usage": {"cpu": "1", "memory": "1"}},
            {"metadata": None, "usage": 5},
        ]
    }
    server.paths["/apis/metrics.k8s.io/v1beta1/pods"] = {
        "items": [
            {
                "metadata": {"name": "web-1", "namespace": "shop"},
                "containers": [
                    {"name": "a", "usage": {"cpu": "100m", "memory": "10Mi"}},
                    {"name": "b", "usage": {"cpu": "50000000n", "memory": "2Mi"}},
                    {"name": "c", "usage": None},
                    7,
                ],
            },
            {"metadata": {"name": "web-1", "namespace": "x" * 70}, "containers": []},
            {"metadata": {"name": "idle", "namespace": "shop"}, "containers": "none"},
        ]
    }


def test_a_metrics_server_is_used_where_there_is_one(server, conn) -> None:
    metrics_server(server)
    found = Collector(FAST).collect(conn, {"n1": True}, never)
    assert found.source == SERVER
    assert found.uses[Of.POD, "shop", "web-1"] == Use(pytest.approx(0.15), 12 * 2**20)
    assert found.uses[Of.POD, "shop", "idle"] == Use(None, None)
    assert found.uses[WHOLE] == Use(pytest.approx(0.25), 2**30)
    assert {key[2] for key in found.uses if key[0] == Of.NODE} == {"n1"}
    assert server.count("proxy") == 0


def test_a_metrics_server_that_is_away_is_replaced_by_the_kubelets(server, conn) -> None:
    server.paths["/apis/metrics.k8s.io/v1beta1/nodes"] = lambda: status(503, "service unavailable")
    Kubelet(server, "n1").text = resource_text(1, 1000)
    found = Collector(FAST).collect(conn, {"n1": True}, never)
    assert found.source == KUBELET
    assert [p.code for p in found.problems] == ["server-away"]


def test_of_an_api_server_that_is_gone_no_kubelet_is_asked(server, conn) -> None:
    kubelet = Kubelet(server, "n1")
    server.down()
    found = Collector(FAST).collect(conn, {"n1": True}, never)
    assert [p.code for p in found.problems] == ["cluster-away"]
    assert kubelet.asked == 0
    server.up()


def until(what, seconds: float = 8.0):
    ends = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < ends:
        time.sleep(0.03)
    assert value
    return value


def watching(cluster: Cluster) -> MetricsWatch:
    lease = next(taken for taken in claim("me", 50) if taken.cluster_id == cluster.pk)
    watch = MetricsWatch(lease, FAST)
    watch.start()
    return watch


def test_a_watch_writes_until_it_is_stopped(server) -> None:
    cluster = cluster_of(server)
    NodeFactory(cluster=cluster, name="n1", ready=True)
    Kubelet(server, "n1").text = resource_text(1, 1000)
    watch = watching(cluster)
    until(lambda: MetricFrame.objects.filter(cluster=cluster).count() >= 2)
    watch.stop()
    watch.join(5)
    assert not watch.is_alive()
    state = MetricState.objects.get(cluster=cluster)
    assert (state.source, state.memory, state.problems) == (KUBELET, 100_000_000, [])


def test_a_cluster_whose_kubelets_hang_does_not_slow_down_another(server, authority) -> None:
    sick = cluster_of(server)
    for number in range(6):
        NodeFactory(cluster=sick, name=f"n{number}", ready=True)
        Kubelet(server, f"n{number}").hangs.set()
    with ApiServer(authority) as other:
        well = cluster_of(other)
        NodeFactory(cluster=well, name="n1", ready=True)
        Kubelet(other, "n1").text = resource_text(1, 1000)
        leases = {taken.cluster_id: taken for taken in claim("me", 50)}
        watches = [MetricsWatch(leases[c.pk], FAST) for c in (sick, well)]
        for watch in watches:
            watch.start()
        until(lambda: MetricFrame.objects.filter(cluster=well).count() >= 3)
        for watch in watches:
            watch.stop()
        for path in list(server.paths.values()):
            path.__self__.goes_on.set()
        for watch in watches:
            watch.join(8)
            assert not watch.is_alive()


def test_a_watch_ends_when_its_lease_is_lost(server) -> None:
    cluster = cluster_of(server)
    watch = watching(cluster)
    until(lambda: MetricState.objects.filter(cluster=cluster).exists())
    Cluster.objects.update(watcher="another")
    watch.join(8)
    assert not watch.is_alive()


def test_a_cluster_that_is_away_is_left_in_peace_and_says_so(server) -> None:
    cluster = cluster_of(server, status=ClusterStatus.UNREACHABLE)
    NodeFactory(cluster=cluster, name="n1", ready=True)
    watch = watching(cluster)
    state = until(lambda: MetricState.objects.filter(cluster=cluster).first())
    watch.stop()
    watch.join(5)
    assert [p["code"] for p in state.problems] == ["cluster-away"]
    assert server.requests == []
    assert threading.active_count() < 200
