"""HA drills on a real standard cluster: measured, put back, kept; and what may not be drilled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import Lab
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.standard import create, wait_healthy

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(console: Console, lab: Lab) -> Iterator[int]:
    numbers = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    vip = f"{lab.host('node1').address.rpartition('.')[0]}.120"
    places = [numbers[f"node{n}"] for n in (1, 2, 3)], [numbers["node4"]]
    made = create(console, "drilled", vip, *places)
    yield made["cluster"]["id"]
    console.delete_cluster(made["cluster"]["id"])


def drill(console: Console, cluster: int, target: str, status: str = "succeeded") -> Any:
    wait_healthy(console, cluster)
    made = console.post(f"clusters/{cluster}/drills/", {"target": target})
    console.wait(made["task"]["id"], 200, status)
    return console.get(f"clusters/{cluster}/drills/")["results"][0]


@pytest.mark.parametrize("target", ["haproxy", "keepalived", "api_server", "etcd_leader", "host"])
def test_a_drill_measures_and_puts_back(
    console: Console, cluster: int, lab: Lab, target: str
) -> None:
    seen = drill(console, cluster, target)
    assert seen["target"] == target
    assert seen["host_name"] in ("node1", "node2", "node3")
    assert seen["stopped"] < seen["put_back"]
    assert seen["result"]["ok"] > 0
    assert seen["longest_ms"] == seen["result"]["longest_ms"]
    assert not any(outage["open"] for outage in seen["result"]["outages"])
    if target in ("haproxy", "keepalived", "host"):
        assert seen["holder_after"] not in ("", seen["host_name"])
    units = "haproxy keepalived kube-apiserver kube-scheduler kube-controller-manager etcd kubelet"
    states = lab.host(seen["host_name"]).run(f"systemctl is-active {units}").split()
    assert states == ["active"] * 7
    timers = lab.host(seen["host_name"]).run("systemctl list-timers --all --no-legend; true")
    assert "flotilla-drill" not in timers
    print(target, f"{seen['longest_ms']:.0f} ms")


def test_a_drill_is_put_back_when_the_worker_is_killed_in_its_midst(
    console: Console, cluster: int, lab: Lab
) -> None:
    wait_healthy(console, cluster)
    made = console.post(f"clusters/{cluster}/drills/", {"target": "haproxy"})

    def stopped() -> bool:
        newest = console.get(f"clusters/{cluster}/drills/")["results"][0]
        return newest["task"] == made["task"]["id"] and newest["stopped"] is not None

    wait_for(stopped, 60, "HAProxy is stopped")
    console.kill("worker")
    console.start_worker()
    task = console.wait(made["task"]["id"], 120, "failed")
    assert task["failure"]["code"] == "interrupted"
    newest = console.get(f"clusters/{cluster}/drills/")["results"][0]
    assert newest["put_back"] is not None and newest["longest_ms"] is None
    assert lab.host(newest["host_name"]).run("systemctl is-active haproxy").strip() == "active"


def test_a_cluster_that_is_not_whole_is_not_drilled(
    console: Console, cluster: int, lab: Lab
) -> None:
    wait_healthy(console, cluster)
    lab.host("node3").power_cut()
    try:
        wait_for(lambda: console.get(f"clusters/{cluster}/control-plane/")["problems"], 60, "seen")
        with pytest.raises(ApiError) as refused:
            console.post(f"clusters/{cluster}/drills/", {"target": "haproxy"})
        assert "node3" in str(refused.value)
    finally:
        lab.host("node3").boot()
    with pytest.raises(ApiError) as unknown:
        console.post(f"clusters/{cluster}/drills/?dry_run=true", {"target": "everything"})
    assert "target" in unknown.value.body["errors"]
