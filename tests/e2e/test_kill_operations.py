"""The operations of a running standard cluster, with kill -9 of the worker between their steps.

Creation, growth, shrinking and deletion are killed in test_kill_standard, a restore in
test_snapshots. One cluster goes through all of this: what an operation left wrong, the next one
or the comparison at the end finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import Lab, kubernetes
from tests.e2e.console import Console
from tests.e2e.kills import EVERY, SEED, killed_between_steps
from tests.e2e.standard import Kubectl, create, holders, members, wait_healthy
from tests.e2e.test_kill_standard import state

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1500)]

OLD, NEW = kubernetes.DEFAULT_VERSION, kubernetes.NEXT_VERSION
CONTROL_PLANE = ["node1", "node2", "node4"]  # once node4 has taken the place of node3
EVERYONE = ["node1", "node2", "node3", "node4"]


@pytest.fixture(scope="module")
def vip(lab: Lab) -> str:
    return f"{lab.host('node1').address.rpartition('.')[0]}.112"


@pytest.fixture(scope="module")
def cluster(console: Console, vip: str) -> Iterator[int]:
    """Three control planes; node4 is free."""
    numbers = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    members = [numbers[name] for name in EVERYONE[:3]]
    number = create(console, "operated", vip, members, [])["cluster"]["id"]
    yield number
    console.delete_cluster(number)


def killed(console: Console, cluster: int, path: str, wish: Any = None, **more: Any) -> int:
    """Launch an operation and kill the worker all along; how often."""
    task = console.post(f"clusters/{cluster}/{path}/", wish or {})["task"]
    kills = killed_between_steps(console, task["id"], **more)
    print(path, "kills:", kills, "seed:", SEED)
    return kills


def test_a_control_plane_is_replaced(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    wish = {"host": "node3", "replacement": "node4"}
    assert killed(console, cluster, "replace-node", wish) >= 15 // EVERY
    assert kubectl.ready() == dict.fromkeys(CONTROL_PLANE, True)
    listed = members(lab.host("node4"))
    assert {line.split(", ")[2] for line in listed} == set(CONTROL_PLANE)
    assert lab.host("node3").run("ls -d /etc/kubernetes /var/lib/flotilla 2>/dev/null; true") == ""
    # What it left is nothing: it comes back at once, as a worker.
    console.wait(
        console.post(f"clusters/{cluster}/add-nodes/", {"workers": ["node3"]})["task"]["id"]
    )
    wait_healthy(console, cluster)


def test_a_snapshot_is_taken_once(console: Console, cluster: int) -> None:
    killed(console, cluster, "snapshots")
    (row,) = console.get(f"clusters/{cluster}/snapshots/")["results"]
    assert row["state"] == "ready"


def test_certificates_are_renewed(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    before = state(lab, cluster)
    assert killed(console, cluster, "renew-certificates") >= 10 // EVERY
    assert state(lab, cluster) == before
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    levels = {c["level"] for c in console.get(f"clusters/{cluster}/certificates/")["certificates"]}
    assert levels == {"ok"}


def test_a_drill_leaves_all_as_it_was(console: Console, cluster: int, lab: Lab, vip: str) -> None:
    wait_healthy(console, cluster)
    before = state(lab, cluster)
    # Nobody measured while the worker was dead, so a drill that was cut short says that it failed.
    killed(console, cluster, "drills", {"target": "haproxy"}, may_fail="interrupted")
    assert state(lab, cluster) == before
    wait_healthy(console, cluster)
    assert len(holders(lab, vip, CONTROL_PLANE)) == 1
    for name in CONTROL_PLANE:
        assert "flotilla-drill" not in lab.host(name).run("systemctl list-timers --all; true")


def test_every_host_is_upgraded(console: Console, cluster: int, kubectl: Kubectl, lab: Lab) -> None:
    if NEW not in {r["version"] for r in console.get("releases/")["results"]}:
        console.manage("release", "import", str(kubernetes.ensure(NEW, print).folder))
    before = state(lab, cluster)
    assert killed(console, cluster, "upgrade", {"release": NEW}) >= 20 // EVERY
    nodes = kubectl.get("nodes")["items"]
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes} == {NEW}
    assert not any(n["spec"].get("unschedulable") for n in nodes)
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    # Two versions lie there, and the new one runs; nothing else has changed.
    after = state(lab, cluster)
    for name in EVERYONE:
        new = {line for line in after[name] if line not in before[name]}
        assert new and all(NEW in line for line in new), (name, new)
        gone = {line for line in before[name] if line not in after[name]}
        assert all(OLD in line for line in gone), (name, gone)
    wait_healthy(console, cluster)
