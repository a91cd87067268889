"""Draining a node of a real API server: evictions, budgets, what it says while it waits."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from clusters.kube import Connection, Forbidden, NotFound
from clusters.kube.drain import Pace, drain
from clusters.kube.drain_events import DrainEvent, DrainResult, Kind, Outcome, Reason
from provisioning import pki
from tests.integration import api_server
from tests.integration.api_server import Kubelet, RealApiServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAST = Pace(look=0.1, retry=0.3, stop=0.05, overdue=0.5, dead=1.0)
PODS = "/api/v1/namespaces/shop/pods"
BUDGETS = "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets"
NAMES = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        running.connection().post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        yield running


@pytest.fixture(scope="module")
def conn(server) -> Connection:
    return server.connection()


@pytest.fixture
def node(conn) -> Iterator[str]:
    """A node of its own for each test; its pods and all budgets are gone afterwards."""
    name = f"n{next(NAMES)}"
    conn.post("/api/v1/nodes", {"metadata": {"name": name}})
    ready(conn, name, "True")
    yield name
    for item in conn.listing("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"}).items:
        path = f"/api/v1/namespaces/{item['metadata']['namespace']}/pods/{item['metadata']['name']}"
        with contextlib.suppress(NotFound):
            conn.merge_patch(path, {"metadata": {"finalizers": None}})
            conn.delete(path, {"gracePeriodSeconds": 0})
    for item in conn.listing(BUDGETS).items:
        conn.delete(f"{BUDGETS}/{item['metadata']['name']}")


def ready(conn: Connection, node: str, status: str) -> None:
    condition = {"type": "Ready", "status": status}
    conn.merge_patch(f"/api/v1/nodes/{node}/status", {"status": {"conditions": [condition]}})


def pod(
    conn: Connection, node: str, name: str, owner: str | None = "ReplicaSet", grace=1, **more
) -> dict:
    """A running pod on the node; more: labels, annotations, finalizers, volumes, phase."""
    metadata = {"name": name, "labels": more.get("labels", {"app": "web"})}
    metadata |= {key: more[key] for key in ("annotations", "finalizers") if key in more}
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "1"}
        metadata["ownerReferences"] = [reference | {"controller": True}]
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": grace,
        "containers": [{"name": "c", "image": "i"}],
        "volumes": more.get("volumes", []),
    }
    conn.post(PODS, {"metadata": metadata, "spec": spec})
    phase = more.get("phase", "Running")
    condition = {"type": "Ready", "status": "True" if phase == "Running" else "False"}
    status = {"phase": phase, "conditions": [condition]}
    return conn.merge_patch(f"{PODS}/{name}/status", {"status": status})


def budget(conn: Connection, name: str, allowed: int, selector=None, **figures: int) -> None:
    """A budget with the status that the disruption controller would write."""
    selector = selector or {"matchLabels": {"app": "web"}}
    made = conn.post(
        BUDGETS, {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": selector}}
    )
    status = {
        "observedGeneration": made["metadata"]["generation"],
        "disruptionsAllowed": allowed,
        "currentHealthy": figures.get("healthy", 2),
        "desiredHealthy": figures.get("desired", 2),
        "expectedPods": figures.get("expected", 3),
    }
    conn.merge_patch(f"{BUDGETS}/{name}/status", {"status": status})


def daemon_set(conn: Connection) -> None:
    """The DaemonSet "o" in the namespace shop."""
    labels = {"app": "agent"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template}
    conn.post("/apis/apps/v1/namespaces/shop/daemonsets", {"metadata": {"name": "o"}, "spec": spec})


class Drained:
    """Runs a drain and keeps its events."""

    def __init__(self, conn: Connection, node: str, **options) -> None:
        self.events: list[DrainEvent] = []
        options = {"timeout": 20, "pace": FAST, **options}
        self.result: DrainResult = drain(conn, node, on_event=self.events.append, **options)

    def kinds(self, name: str) -> list[Kind]:
        return [event.kind for event in self.events if event.pod == name]

    def waits(self) -> list:
        return [event.wait for event in self.events if event.wait]


def cordoned(conn: Connection, node: str) -> bool:
    return conn.get_json(f"/api/v1/nodes/{node}")["spec"].get("unschedulable", False)


def later(seconds: float, call: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def test_pods_leave_and_those_of_daemon_sets_and_static_ones_stay(conn, node):
    daemon_set(conn)
    pod(conn, node, "web-1")
    pod(conn, node, "web-2", volumes=[{"name": "scratch", "emptyDir": {}}])
    pod(conn, node, "agent", owner="DaemonSet")
    pod(conn, node, "agent-done", owner="DaemonSet", phase="Succeeded")
    pod(conn, node, "job-done", owner=None, phase="Succeeded")
    mirror = {"kubernetes.io/config.mirror": "x"}
    pod(conn, node, "kube-proxy", owner=None, annotations=mirror)
    try:
        with Kubelet(conn, node):
            run = Drained(conn, node)
    finally:
        conn.delete("/apis/apps/v1/namespaces/shop/daemonsets/o")
    assert run.result.outcome is Outcome.DRAINED
    assert run.result.done
    assert set(run.result.left) == {"shop/web-1", "shop/web-2", "shop/job-done"}
    assert set(run.result.skipped) == {"shop/agent", "shop/agent-done", "shop/kube-proxy"}
    assert run.kinds("web-1") == [Kind.EVICTED, Kind.WAITING, Kind.GONE]
    assert Kind.LOCAL_DATA in run.kinds("web-2")
    assert "scratch" in next(e.text for e in run.events if e.kind is Kind.LOCAL_DATA)
    assert cordoned(conn, node)
    again = Drained(conn, node)
    assert again.result.outcome is Outcome.REFUSED, "the DaemonSet is gone now"


def test_the_budget_that_forbids_an_eviction_is_named_with_its_figures(conn, node):
    pod(conn, node, "web")
    expression = {"key": "app", "operator": "In", "values": ["web", "shop"]}
    budget(conn, "calm", 0, {"matchExpressions": [expression]})
    budget(conn, "other", 0, {"matchLabels": {"app": "db"}})
    freed = {"disruptionsAllowed": 1, "currentHealthy": 3}
    timer = later(1.5, lambda: conn.merge_patch(f"{BUDGETS}/calm/status", {"status": freed}))
    with Kubelet(conn, node):
        run = Drained(conn, node)
    timer.join()
    assert run.result.outcome is Outcome.DRAINED
    first = run.waits()[0]
    assert first.reason is Reason.BUDGET
    assert [one.name for one in first.budgets] == ["calm"]
    figures = first.budgets[0]
    assert (figures.disruptions_allowed, figures.current_healthy) == (0, 2)
    assert (figures.desired_healthy, figures.expected_pods) == (2, 3)
    for words in ("shop/web", "calm", "disruptionsAllowed 0", "desiredHealthy 2"):
        assert words in first.text
    # What does not change is not said twice; the budget once more if it was read as it changed.
    texts = [wait.text for wait in run.waits()]
    assert len(texts) == len(set(texts))
    assert list(dict.fromkeys(wait.reason for wait in run.waits())) == [
        Reason.BUDGET,
        Reason.GRACE_PERIOD,
    ]


def test_a_pod_under_two_budgets_is_told_to_be_stuck(conn, node):
    pod(conn, node, "web")
    budget(conn, "one", 1)
    budget(conn, "two", 1)
    run = Drained(conn, node, timeout=1)
    assert run.result.outcome is Outcome.TIMED_OUT
    (wait,) = run.result.remaining
    assert wait.reason is Reason.SEVERAL_BUDGETS
    assert {one.name for one in wait.budgets} == {"one", "two"}
    assert "one" in run.result.text


def test_a_pod_without_a_controller_is_refused_before_anything_changes(conn, node):
    pod(conn, node, "web")
    pod(conn, node, "lonely", owner=None)
    run = Drained(conn, node)
    assert run.result.outcome is Outcome.REFUSED
    assert run.result.refused == ("shop/lonely",)
    assert "shop/lonely" in run.result.text
    assert not cordoned(conn, node)
    assert not run.result.cordoned
    assert "deletionTimestamp" not in conn.get_json(f"{PODS}/web")["metadata"]
    with Kubelet(conn, node):
        forced = Drained(conn, node, force=True)
    assert forced.result.outcome is Outcome.DRAINED
    assert Kind.UNMANAGED in forced.kinds("lonely")


def test_a_canceled_drain_says_what_is_left_and_leaves_the_node_cordoned(conn, node):
    pod(conn, node, "web", grace=30)
    stop = threading.Event()
    timer = later(0.7, stop.set)
    began = time.monotonic()
    run = Drained(conn, node, stopped=stop.is_set)
    timer.join()
    assert time.monotonic() - began < 3
    assert run.result.outcome is Outcome.CANCELED
    (wait,) = run.result.remaining
    assert (wait.reason, wait.seconds) == (Reason.GRACE_PERIOD, 30)
    assert cordoned(conn, node)
    # The next run takes it up where it was, and evicts nothing twice.
    with Kubelet(conn, node):
        again = Drained(conn, node)
    assert again.result.outcome is Outcome.DRAINED
    assert Kind.EVICTED not in again.kinds("web")


def test_a_finalizer_that_keeps_a_pod_is_named(conn, node):
    pod(conn, node, "web", finalizers=["shop.example/billing"])
    with Kubelet(conn, node):
        run = Drained(conn, node, timeout=2)
    assert run.result.outcome is Outcome.TIMED_OUT
    (wait,) = run.result.remaining
    assert wait.reason is Reason.FINALIZER
    assert "shop.example/billing" in wait.text


def test_a_kubelet_that_is_silent_is_told_apart_from_a_grace_period(conn, node):
    pod(conn, node, "web", grace=1)
    run = Drained(conn, node, timeout=3)
    assert [wait.reason for wait in run.waits()] == [Reason.GRACE_PERIOD, Reason.OVERDUE]
    assert run.result.remaining[0].reason is Reason.OVERDUE
    assert "kubelet" in run.result.text


def test_the_pods_of_a_dead_node_go_at_once_whatever_the_budget(conn, node):
    pod(conn, node, "web", grace=600)
    pod(conn, node, "ending", grace=600)
    conn.delete(f"{PODS}/ending")
    budget(conn, "calm", 0)
    ready(conn, node, "Unknown")
    run = Drained(conn, node, dead=True)
    assert run.result.outcome is Outcome.DRAINED
    assert run.kinds("web")[0] is Kind.DELETED
    assert set(run.result.left) == {"shop/web", "shop/ending"}


def test_a_node_that_is_ready_is_not_dead(conn, node):
    pod(conn, node, "web")
    run = Drained(conn, node, dead=True)
    assert run.result.outcome is Outcome.NOT_DEAD
    assert Kind.NODE_READY in [event.kind for event in run.events]
    assert not cordoned(conn, node)
    assert "deletionTimestamp" not in conn.get_json(f"{PODS}/web")["metadata"]


def test_a_node_that_is_gone_counts_as_drained(conn):
    run = Drained(conn, "no-such-node")
    assert run.result.outcome is Outcome.GONE
    assert run.result.done


def test_an_api_server_that_restarts_is_waited_for(server, conn, node):
    pod(conn, node, "web")
    budget(conn, "calm", 0)
    freed = {"disruptionsAllowed": 1}

    def restart() -> None:
        server.down()
        server.up()
        conn.merge_patch(f"{BUDGETS}/calm/status", {"status": freed})

    timer = later(0.5, restart)
    with Kubelet(conn, node):
        run = Drained(conn, node, timeout=60)
    timer.join()
    assert run.result.outcome is Outcome.DRAINED
    away = next(event for event in run.events if event.kind is Kind.SERVER_AWAY)
    assert server.endpoint in away.text


def test_missing_rights_end_the_drain_and_are_named(server, conn, node):
    stranger = server.connection("nobody", "nothing")
    with pytest.raises(Forbidden, match="403"):
        Drained(stranger, node)


def test_it_takes_the_pods_that_kubectl_takes(server, conn, node, tmp_path):
    """kubectl itself is the oracle: the pods that its dry run names are those that leave."""
    kubectl = Path(server.apiserver).with_name("kubectl")
    if not kubectl.exists():
        pytest.skip("no kubectl beside kube-apiserver")
    daemon_set(conn)
    for owner in ("ReplicaSet", "StatefulSet", "Job", "DaemonSet", None):
        for phase in ("Running", "Failed", "Pending"):
            name = f"{(owner or 'none').lower()}-{phase.lower()}"
            if (owner, phase) != ("DaemonSet", "Failed"):
                pod(conn, node, name, owner, phase=phase)
    pod(conn, node, "static", None, annotations={"kubernetes.io/config.mirror": "x"})
    pod(conn, node, "scratch", volumes=[{"name": "s", "emptyDir": {}}])
    pair = pki.client_certificate(server.ca, "admin", ["system:masters"], hours=1)
    config = tmp_path / "kubeconfig"
    config.write_text(pki.kubeconfig(server.endpoint, server.ca.certificate, pair=pair))
    arguments = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--dry-run=client"]
    said = subprocess.run(
        [str(kubectl), f"--kubeconfig={config}", "drain", node, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    named = {
        f"shop/{line.split('/')[-1].split()[0]}"
        for line in said.stdout.splitlines()
        if "evict" in line
    }
    try:
        with Kubelet(conn, node):
            run = Drained(conn, node, force=True)
    finally:
        conn.delete("/apis/apps/v1/namespaces/shop/daemonsets/o")
    assert run.result.outcome is Outcome.DRAINED
    assert len(named) > 10, said.stdout
    assert set(run.result.left) == named
