"""Upgrade of a standard cluster while clients go on, with everything that can stand in its way.

The lab's machine may reach one Kubernetes alone: v1.21.0 is the source of v1.20.2, built with
another version string (lab/kubernetes.py). So this proves the upgrade's way through hosts and
API, and not that the two versions of Kubernetes understand one another.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import Lab, kubernetes
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.standard import Kubectl, create
from tests.e2e.steady_client import SteadyClient

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

OLD, NEW = kubernetes.DEFAULT_VERSION, kubernetes.NEXT_VERSION
CONTROL_PLANE = ["node1", "node2", "node3"]
# A pod that may not be evicted: its budget wants the one that there is.
GUARDED_ITEMS = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            "name": "shop",
                            "image": "flotilla.dev/lab/busybox:1",
                            "imagePullPolicy": "Never",
                            "command": ["/bin/sleep", "86400"],
                        }
                    ],
                },
            },
        },
    },
    {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "shop-stays"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
    },
]
GUARDED = {"apiVersion": "v1", "kind": "List", "items": GUARDED_ITEMS}


@pytest.fixture(scope="module")
def cluster(console: Console, lab: Lab) -> Iterator[int]:
    if NEW not in {r["version"] for r in console.get("releases/")["results"]}:
        console.manage("release", "import", str(kubernetes.ensure(NEW, print).folder))
    numbers = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    vip = f"{lab.host('node1').address.rpartition('.')[0]}.100"
    members = [numbers[name] for name in CONTROL_PLANE]
    number = create(console, "upgraded", vip, members, [numbers["node4"]])["cluster"]["id"]
    yield number
    console.delete_cluster(number)


def upgrade(console: Console, cluster: int, **more: Any) -> int:
    answer = console.post(f"clusters/{cluster}/upgrade/", {"release": NEW, **more})
    return int(answer["task"]["id"])


def kubelets(kubectl: Kubectl) -> set[str]:
    nodes = kubectl.get("nodes")["items"]
    return {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def waiting_on(console: Console, task: int) -> str:
    return " ".join(step["note"] for step in console.task(task)["steps"])


def test_it_is_refused_while_a_member_is_down(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    lab.host("node3").run("systemctl stop etcd")
    try:
        try:
            number = upgrade(console, cluster)
        except ApiError as refused:  # the watcher has seen it already
            assert "node3" in str(refused)
        else:  # it has not, and the task itself finds out before it changes anything
            task = console.wait(number, 60, status="failed")
            assert task["failure"]["code"] == "member_ill"
            began = {s["phase"] for s in task["steps"] if s["attempt"]}
            assert began <= {"preflight", "check"}
    finally:
        lab.host("node3").run("systemctl start etcd")
    assert kubelets(kubectl) == {OLD}
    # Nothing was switched, so nothing stands in the way of other operations.
    wait_for(lambda: _may(console, cluster), 40, "the watcher sees all members well")


def _may(console: Console, cluster: int) -> bool:
    try:
        console.post(f"clusters/{cluster}/upgrade/?dry_run=true", {"release": NEW})
    except AssertionError:
        return False
    return True


def test_clients_go_on_while_every_host_is_upgraded(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    kubectl.run("apply", "-f", "-", stdin=json.dumps(GUARDED))
    kubectl.run("rollout", "status", "deployment/shop", "--timeout=9s")
    etcd = {n: lab.host(n).run("systemctl show -p MainPID etcd") for n in CONTROL_PLANE}
    with (
        SteadyClient(kubectl.kubeconfig, "kept", kept=True) as kept,
        SteadyClient(kubectl.kubeconfig, "fresh", kept=False) as fresh,
    ):
        task = upgrade(console, cluster)
        # The worker dies in the middle of the first control plane; another one goes on.
        wait_for(lambda: _at(console, task, "control-plane"), 120, "the first control plane's turn")
        console.kill("worker", signal.SIGKILL)
        time.sleep(1)
        console.start_worker()
        # The drain says what it waits for, and goes on by itself once that is mended.
        wait_for(
            lambda: "shop-stays" in waiting_on(console, task), 240, "the drain names the budget",
            lambda: console.tail(task),
        )  # fmt: skip
        assert "default/shop-" in waiting_on(console, task)
        kubectl.run("delete", "pdb", "shop-stays")
        ended = console.wait(task, 240)
    assert not any(step["note"] for step in ended["steps"])
    print(f"kept: {kept.sent} sent, failed {kept.failed}, slowest {kept.slowest:.2f} s")
    print(f"fresh: {fresh.sent} sent, failed {fresh.failed}, slowest {fresh.slowest:.2f} s")
    # No step costs a request. On a machine that is short of processors a starting API server can
    # keep the VIP's holder from its advertisements; the VIP then moves, and takes one with it.
    assert len(fresh.failed) <= 1
    assert len(kept.failed) <= 1

    assert kubelets(kubectl) == {NEW}
    assert all(kubectl.ready().values())
    assert not any(n["spec"].get("unschedulable") for n in kubectl.get("nodes")["items"])
    assert console.get(f"clusters/{cluster}/")["version"] == NEW
    # The same etcd was in both releases, so it never went away.
    assert {n: lab.host(n).run("systemctl show -p MainPID etcd") for n in CONTROL_PLANE} == etcd
    assert sorted(lab.host("node4").run("ls /opt/kubernetes").split()) == ["current", OLD, NEW]
    taken = console.get(f"clusters/{cluster}/snapshots/")["results"]
    assert [(s["origin"], s["state"]) for s in taken] == [("upgrade", "ready")]


def _at(console: Console, task: int, step: str) -> bool:
    steps = console.task(task)["steps"]
    return any(s["step"] == step and s["status"] == "running" for s in steps)


def test_a_second_upgrade_to_the_same_is_refused(console: Console, cluster: int) -> None:
    with pytest.raises(AssertionError, match="already"):
        upgrade(console, cluster)
