"""The operations of a running standard cluster, with kill -9 of the worker between their steps.

Creation, growth, shrinking and deletion are killed in test_kill_standard, a restore in
test_snapshots. One cluster goes through all of this: what an operation left wrong, the next one
or the comparison at its end finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, kubernetes, requirements
from tests.e2e.conftest import NAME, SUBNET
from tests.e2e.console import Console
from tests.e2e.kills import EVERY, SEED, killed_between_steps
from tests.e2e.standard import Kubectl, create, holders, members, wait_healthy
from tests.e2e.test_kill_standard import state

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1500)]

OLD, NEW = kubernetes.DEFAULT_VERSION, kubernetes.NEXT_VERSION
# node5 takes the place of node3.
CONTROL_PLANE = ["node1", "node2", "node5"]
EVERYONE = [*CONTROL_PLANE, "node4"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Five hosts, so that one is free."""
    if lacks := requirements.missing():
        pytest.skip("the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in lacks))
    first, second, _rest = SUBNET.split(".", 2)
    lab = Lab(f"{NAME}-five", f"{first}.{second}.1.0/24", 5)
    lab.down()
    lab.up()
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, lab: Lab, binaries: Path
) -> Iterator[Console]:
    """A console of these hosts, with both releases."""
    console = Console(tmp_path_factory.mktemp("five") / "var", FLOTILLA_TASK_LEASE_SECONDS="6")
    console.start()
    for folder in (binaries, kubernetes.ensure(NEW, print).folder):
        console.manage("release", "import", str(folder))
    console.add_hosts({h.name: h.address for h in lab.hosts}, lab.key_path.read_text())
    yield console
    console.stop()


@pytest.fixture(scope="module")
def vip(lab: Lab) -> str:
    return f"{lab.host('node1').address.rpartition('.')[0]}.112"


@pytest.fixture(scope="module")
def cluster(console: Console, vip: str) -> Iterator[int]:
    numbers = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    planes = [numbers[name] for name in ("node1", "node2", "node3")]
    number = create(console, "operated", vip, planes, [numbers["node4"]])["cluster"]["id"]
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
    before = state(lab, cluster, ["node3"])["node3"]
    wish = {"host": "node3", "replacement": "node5"}
    assert killed(console, cluster, "replace-node", wish) >= 15 // EVERY
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    assert {line.split(", ")[2] for line in members(lab.host("node5"))} == set(CONTROL_PLANE)
    left = "ls -d /etc/kubernetes /var/lib/flotilla /var/lib/etcd/member 2>/dev/null; true"
    assert lab.host("node3").run(left) == ""
    # The new one is what the old one was, but for its own place in the networks.
    after = state(lab, cluster, ["node5"])["node5"]
    assert [x for x in after if " proto " not in x] == [x for x in before if " proto " not in x]
    wait_healthy(console, cluster)


def test_a_snapshot_is_taken_once(console: Console, cluster: int) -> None:
    killed(console, cluster, "snapshots")
    (row,) = console.get(f"clusters/{cluster}/snapshots/")["results"]
    assert row["state"] == "ready"


def test_certificates_are_renewed(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    before = state(lab, cluster, EVERYONE)
    assert killed(console, cluster, "renew-certificates") >= 9 // EVERY
    assert state(lab, cluster, EVERYONE) == before
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    levels = {c["level"] for c in console.get(f"clusters/{cluster}/certificates/")["certificates"]}
    assert levels == {"ok"}


def test_a_drill_leaves_all_as_it_was(console: Console, cluster: int, lab: Lab, vip: str) -> None:
    wait_healthy(console, cluster)
    before = state(lab, cluster, EVERYONE)
    # Nobody measured while the worker was dead, so a drill that was cut short says that it failed.
    killed(console, cluster, "drills", {"target": "haproxy"}, may_fail="interrupted")
    wait_healthy(console, cluster)
    assert state(lab, cluster, EVERYONE) == before
    assert len(holders(lab, vip, CONTROL_PLANE)) == 1
    for name in CONTROL_PLANE:
        assert "flotilla-drill" not in lab.host(name).run("systemctl list-timers --all; true")


def test_every_host_is_upgraded(console: Console, cluster: int, kubectl: Kubectl, lab: Lab) -> None:
    before = state(lab, cluster, EVERYONE)
    assert killed(console, cluster, "upgrade", {"release": NEW}) >= 15 // EVERY
    nodes = kubectl.get("nodes")["items"]
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes} == {NEW}
    assert not any(n["spec"].get("unschedulable") for n in nodes)
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    # Two versions lie there, and the new one runs; nothing else has changed.
    after = state(lab, cluster, EVERYONE)
    for name in EVERYONE:
        new = {line for line in after[name] if line not in before[name]}
        assert new and all(NEW in line for line in new), (name, new)
        gone = {line for line in before[name] if line not in after[name]}
        assert all(OLD in line for line in gone), (name, gone)
    wait_healthy(console, cluster)
