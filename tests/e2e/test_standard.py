"""A standard cluster on real hosts: made, watched, robbed of machines, grown, shrunk, deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import Lab
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.standard import (
    Kubectl,
    body,
    create,
    holders,
    layers,
    members,
    wait_healthy,
    wait_ready,
)
from tests.e2e.writer import Writer, stored

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

CONTROL_PLANE = ["node1", "node2", "node3"]
PIDS = (
    "systemctl show -p Id -p MainPID -p ActiveEnterTimestampMonotonic etcd haproxy keepalived "
    "kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy containerd"
)


@pytest.fixture(scope="module")
def vip(lab: Lab) -> str:
    return f"{lab.host('node1').address.rpartition('.')[0]}.100"


@pytest.fixture(scope="module")
def numbers(console: Console) -> dict[str, int]:
    return {h["name"]: h["id"] for h in console.get("hosts/")["results"]}


@pytest.fixture(scope="module")
def cluster(console: Console, numbers: dict[str, int], vip: str) -> Iterator[int]:
    made = create(console, "standard", vip, [numbers[n] for n in CONTROL_PLANE], [numbers["node4"]])
    number = made["cluster"]["id"]
    yield number
    for row in console.get("clusters/")["results"]:
        if row["id"] == number:
            console.delete_cluster(number)


def test_all_layers_come_up_and_kubectl_goes_through_the_vip(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab, vip: str
) -> None:
    assert console.get(f"clusters/{cluster}/")["endpoint"] == f"https://{vip}:8443"
    assert kubectl.ready() == dict.fromkeys([*CONTROL_PLANE, "node4"], True)
    assert len(holders(lab, vip, CONTROL_PLANE)) == 1
    assert len(members(lab.host("node1"))) == 3
    wait_healthy(console, cluster)
    data = layers(console, cluster)["data"]
    assert data["vip"]["holder"]["name"] in CONTROL_PLANE
    assert sum(m["etcd"]["leads"] for m in data["members"]) == 1
    for member in data["members"]:
        assert set(member["proxy"]["back_ends"]) == set(CONTROL_PLANE)
    assert console.get(f"clusters/{cluster}/")["status"] == "active"


def test_workloads_stay_off_the_control_plane(kubectl: Kubectl) -> None:
    taints = {
        node["metadata"]["name"]: bool(node["spec"].get("taints"))
        for node in kubectl.get("nodes")["items"]
    }
    assert taints == {"node1": True, "node2": True, "node3": True, "node4": False}


def test_a_second_run_of_the_plan_changes_and_restarts_nothing(
    console: Console, cluster: int, lab: Lab
) -> None:
    before = {h.name: h.run(PIDS) for h in lab.hosts}
    plan = console.post(f"clusters/{cluster}/repair/?dry_run=true")["plan"]
    assert plan["changes"] == 0
    task = console.wait(console.post(f"clusters/{cluster}/repair/")["task"]["id"])
    assert [s["step"] for s in task["steps"] if s["status"] == "changed"] == []
    assert {h.name: h.run(PIDS) for h in lab.hosts} == before


def test_what_cannot_be_a_standard_cluster_is_refused_beside_its_field(
    console: Console, cluster: int, numbers: dict[str, int], vip: str
) -> None:
    def refused(**changes: Any) -> dict[str, list[str]]:
        wanted = body("other", vip.replace(".100", ".101"), [], [])
        with pytest.raises(ApiError) as error:
            console.post("clusters/?dry_run=true", wanted | changes)
        errors: dict[str, list[str]] = error.value.body["errors"]
        return errors

    two = [numbers["node1"], numbers["node2"]]
    assert "even" in " ".join(refused(control_plane=two)["control_plane"])
    assert "standard" in " ".join(refused(vip=vip)["vip"])
    assert "node3" in " ".join(refused(vip=vip.replace(".100", ".13"))["vip"])
    assert refused(vip="")["vip"] and refused(vip="10.1.2")["vip"]


def test_each_control_plane_loses_its_power_while_a_client_writes(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab, vip: str
) -> None:
    kubectl.run("create", "namespace", "power")
    outages = {}
    with Writer(kubectl.kubeconfig, "power") as writer:
        time.sleep(2)
        for name in CONTROL_PLANE:
            wait_healthy(console, cluster)
            begin, count = time.monotonic(), len(writer.acked)
            lab.host(name).power_cut()
            wait_for(lambda: len(writer.acked) > count + 50, 60, "writes go on")  # noqa: B023
            outages[name] = writer.longest(begin)
            wait_for(lambda: console.get(f"clusters/{cluster}/")["status"] == "degraded", 30,
                     "the console says that one is down")  # fmt: skip
            lab.host(name).boot()
        wait_healthy(console, cluster)
    assert writer.refused == []
    assert set(writer.acked) <= stored(kubectl, "power"), "what was acknowledged is there"
    assert len(members(lab.host("node1"))) == 3
    wait_ready(kubectl, {*CONTROL_PLANE, "node4"})
    print("outage of writes by power cut:", {n: f"{s:.2f} s" for n, s in outages.items()})


def test_the_holder_of_the_vip_is_cut_off_while_a_client_writes(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab, vip: str
) -> None:
    kubectl.run("create", "namespace", "partition")
    (holder,) = holders(lab, vip, CONTROL_PLANE)
    with Writer(kubectl.kubeconfig, "partition") as writer:
        time.sleep(1)
        lab.host(holder).partition()
        try:
            count = len(writer.acked)
            wait_for(lambda: len(writer.acked) > count + 50, 60, "writes go on")
            rest = [n for n in CONTROL_PLANE if n != holder]
            assert len(holders(lab, vip, rest)) == 1
        finally:
            lab.host(holder).heal()
        wait_for(lambda: len(holders(lab, vip, CONTROL_PLANE)) == 1, 10, "one holder again")
        wait_healthy(console, cluster)
    assert set(writer.acked) <= stored(kubectl, "partition")


def test_workers_come_and_go_and_a_dead_control_plane_is_replaced(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab, vip: str, numbers: dict[str, int]
) -> None:
    path = f"clusters/{cluster}/"
    removed = console.post(f"{path}remove-node/", {"host": "node4"})
    console.wait(removed["task"]["id"])
    assert set(kubectl.ready()) == set(CONTROL_PLANE)
    assert lab.host("node4").run("ls -d /etc/kubernetes /var/lib/flotilla 2>/dev/null; true") == ""
    lab.host("node2").power_cut()
    with pytest.raises(ApiError) as even:
        console.post(f"{path}remove-node/?dry_run=true", {"host": "node2"})
    assert "accept_even" in even.value.body["errors"]
    replaced = console.post(f"{path}replace-node/", {"host": "node2", "replacement": "node4"})
    console.wait(replaced["task"]["id"])
    assert kubectl.ready() == {"node1": True, "node3": True, "node4": True}
    assert {m.split(", ")[2] for m in members(lab.host("node4"))} == {"node1", "node3", "node4"}
    assert console.get(f"hosts/{numbers['node2']}/")["cluster"] is None
    lab.host("node2").boot()
    wait_for(lambda: _reachable(console, numbers["node2"]), 60, "node2 is back")
    with pytest.raises(ApiError) as refused:
        console.post(f"{path}add-nodes/", {"workers": ["node2"]})
    assert "clean" in str(refused.value).lower()
    cleaned = console.post(f"hosts/{numbers['node2']}/clean-up/")
    console.wait(cleaned["id"])
    added = console.post(f"{path}add-nodes/", {"workers": ["node2"]})
    console.wait(added["task"]["id"])
    assert kubectl.ready() == dict.fromkeys(["node1", "node2", "node3", "node4"], True)
    wait_healthy(console, cluster)


def test_the_last_healthy_member_is_not_removed(console: Console, cluster: int, lab: Lab) -> None:
    lab.host("node3").power_cut()
    try:
        # Of node1, node3 and node4 one is down: of the two that would stay only one is healthy.
        made = console.post(
            f"clusters/{cluster}/remove-node/", {"host": "node1", "accept_even": True}
        )
        task = console.wait(made["task"]["id"], 200, "failed")
        assert task["failure"]["code"] == "no_quorum", task["failure"]
        assert "node3" in task["failure"]["found"]
        assert [s for s in task["steps"] if s["status"] == "changed"] == []
    finally:
        lab.host("node3").boot()
    wait_healthy(console, cluster, 120)


def test_delete_goes_on_without_a_host_that_is_gone(
    console: Console, cluster: int, lab: Lab, numbers: dict[str, int]
) -> None:
    lab.host("node3").power_cut()
    task = console.delete_cluster(cluster)
    skipped = {s["host"] for s in task["steps"] if s["status"] == "skipped"}
    assert skipped == {"node3"}
    lab.host("node3").boot()
    wait_for(lambda: _reachable(console, numbers["node3"]), 60, "node3 is back")
    console.wait(console.post(f"hosts/{numbers['node3']}/clean-up/")["id"])
    for host in lab.hosts:
        row = console.get(f"hosts/{numbers[host.name]}/")
        assert row["cluster"] is None and row["cleanups"] == []
        left = host.run(
            "ls -d /etc/kubernetes /var/lib/etcd/member /opt/kubernetes /etc/cni/net.d "
            "/var/lib/flotilla /etc/systemd/system/haproxy.service.d 2>/dev/null; "
            "ps -eo comm | grep -E 'kube|etcd|containerd|haproxy|keepalived'; "
            "ip -o -4 addr | grep -F .100/; true"
        )
        assert left.strip() == ""


def _reachable(console: Console, number: int) -> bool:
    answer = console.post(f"hosts/{number}/check/")
    task = console.wait_ended(answer["id"])
    return bool(task["status"] == "succeeded")
