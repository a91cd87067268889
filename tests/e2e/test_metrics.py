"""What a real cluster of 1.20 uses: its kubelets asked through the node proxy, without add-ons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.console import Console, wait_for
from tests.e2e.standard import Kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(console: Console) -> Any:
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    made = console.create("measured", [hosts["node1"]], [hosts["node2"]])
    console.wait(made["task"]["id"])
    yield made["cluster"]["id"]
    console.delete_cluster(made["cluster"]["id"])


def metrics(console: Console, cluster: int, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = console.get(f"clusters/{cluster}/metrics/{query}")
    return answer


POD = "?of=pod&namespace=default&name=busy"


def known(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def test_nodes_and_the_cluster_are_measured_without_any_add_on(
    console: Console, cluster: int
) -> None:
    wait_for(lambda: known(metrics(console, cluster)["cpu"]), 120, "the cluster's CPU is known")
    whole = metrics(console, cluster)
    assert whole["source"] == "kubelet"
    assert whole["problems"] == [], "the console's own rights are enough"
    assert 0 < known(whole["cpu"])[-1] < 64
    nodes = [metrics(console, cluster, f"?of=node&name=node{n}") for n in (1, 2)]
    for node in nodes:
        assert known(node["memory"])[-1] > 20 * 2**20
        assert node["cpu_lines"]["allocatable"] >= 1


def test_a_pod_at_work_is_seen_and_so_is_its_namespace(
    console: Console, cluster: int, kubectl: Kubectl, tmp_path: Path
) -> None:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy", "namespace": "default"},
        "spec": {
            "nodeName": "node2",
            "containers": [{
                "name": "busy", "image": "flotilla.dev/lab/busybox:1",
                "command": ["sh", "-c", "while true; do :; done"],
                "resources": {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}},
            }],
        },
    }  # fmt: skip
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps(pod))
    kubectl.run("apply", "-f", str(manifest))

    def used() -> list[float]:
        return known(metrics(console, cluster, POD)["cpu"])

    def explain() -> str:
        told = kubectl.run("get", "--raw", "/api/v1/nodes/node2/proxy/metrics/resource")
        pods = kubectl.run("get", "pods", "-o", "wide")
        return f"{metrics(console, cluster, POD)}\n{pods}\n{told[:4000]}"

    # The machine of the tests may be busy: what it gets is not what its limit allows.
    wait_for(lambda: max(used(), default=0.0) > 0.01, 150, "it is seen at work", explain)
    whole = metrics(console, cluster, POD)
    assert known(whole["memory"])[-1] > 50_000
    of_namespace = metrics(console, cluster, "?of=namespace&name=default")
    assert max(known(of_namespace["cpu"])) > 0.01
    kubectl.run("delete", "pod", "busy", "--now")
