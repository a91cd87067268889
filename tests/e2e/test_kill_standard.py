"""Standard clusters under kill -9 at every step boundary, and under power cuts in every phase."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab import Lab
from tests.e2e.console import ENDED, Console, wait_for
from tests.e2e.kills import EVERY, SEED, killed_between_steps
from tests.e2e.standard import body, create, members
from tests.e2e.test_kill import STATE

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1500)]

CONTROL_PLANE = ["node1", "node2", "node3"]
EVERYONE = [*CONTROL_PLANE, "node4"]
HA = """
for f in /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf; do
  [ -e $f ] && echo "$f $(stat -c '%a %U' $f)"
done
systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived 2>&1; true
"""


def state(lab: Lab, cluster: int, names: list[str] = EVERYONE) -> dict[str, list[str]]:
    """What says what the cluster is, on each host; the same for two clusters of one kind."""
    return {
        name: sorted(
            set(
                lab.host(name)
                .run(STATE + HA)
                .replace(f"/var/lib/flotilla/{cluster}/", "/var/lib/flotilla/N/")
                .splitlines()
            )
        )
        for name in names
    }


def bare(lab: Lab) -> str:
    return "".join(
        host.run(
            "ls -d /etc/kubernetes /opt/kubernetes /var/lib/flotilla /var/lib/etcd/member "
            "/etc/systemd/system/haproxy.service.d 2>/dev/null; "
            "ps -eo comm | grep -E 'kube|etcd|containerd|haproxy|keepalived'; true"
        )
        for host in lab.hosts
    )


def test_the_worker_is_killed_between_steps_of_create_remove_add_and_delete(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    vip = f"{lab.host('node1').address.rpartition('.')[0]}.110"
    places = [hosts[n] for n in CONTROL_PLANE], [hosts["node4"]]
    calm = create(console, "calm-standard", vip, *places)
    undisturbed = state(lab, calm["cluster"]["id"])
    console.delete_cluster(calm["cluster"]["id"])
    assert bare(lab) == ""

    made = console.post("clusters/", body("killed", vip, *places))
    kills = {"create": killed_between_steps(console, made["task"]["id"])}
    number = made["cluster"]["id"]
    assert state(lab, number) == undisturbed
    for path, wish in (
        ("remove-node", {"host": "node3", "accept_even": True}),
        ("add-nodes", {"control_plane": ["node3"]}),
    ):
        task = console.post(f"clusters/{number}/{path}/", wish)["task"]
        kills[path] = killed_between_steps(console, task["id"])
    assert len(members(lab.host("node1"))) == 3
    after = state(lab, number)
    # It has another place now, and with it another pod range; how it found its peers differs too.
    routes = [line for line in undisturbed["node1"] if " proto 201 " in line]
    assert len(routes) == 3
    for name in EVERYONE:
        without = [x for x in undisturbed[name] if " proto 201" not in x]
        assert [x for x in after[name] if " proto 201" not in x] == without, name
    kills["delete"] = killed_between_steps(
        console, console.delete(f"clusters/{number}/")["task"]["id"]
    )
    assert bare(lab) == ""
    assert kills["create"] >= 15 // EVERY and sum(kills.values()) >= 30 // EVERY, kills
    print("kills:", kills, "seed:", SEED)


def test_a_host_loses_its_power_in_each_phase_of_the_creation(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    """One creation goes through all phases; in each a host dies at its first step of it."""
    vip = f"{lab.host('node1').address.rpartition('.')[0]}.111"
    made = console.post(
        "clusters/",
        body("powerless", vip, [hosts[n] for n in CONTROL_PLANE], [hosts["node4"]]),
    )
    number, cut = made["task"]["id"], dict[str, str]()
    deadline = time.monotonic() + 1200
    while (task := console.task(number))["status"] != "succeeded":
        assert time.monotonic() < deadline, console.tail(number)
        if task["status"] in ENDED:
            _boot(console, lab, hosts, cut)
            console.post(f"tasks/{number}/retry/")
            continue
        _cut_one(lab, task, cut)
        time.sleep(0.05)
    assert len(cut) >= 8, cut
    assert len(members(lab.host("node2"))) == 3
    console.delete_cluster(made["cluster"]["id"])
    assert bare(lab) == ""
    print("cut:", cut)


def _cut_one(lab: Lab, task: Any, cut: dict[str, str]) -> None:
    for step in task["steps"]:
        fresh = step["phase"] not in cut and step["phase"] not in ("preflight", "after")
        if step["status"] == "running" and step["host"] and fresh:
            # Another host each time, as far as the phases let one choose.
            lab.host(step["host"]).power_cut()
            cut[step["phase"]] = step["host"]
            return


def _boot(console: Console, lab: Lab, hosts: dict[str, int], cut: dict[str, str]) -> None:
    for name in set(cut.values()):
        if lab.host(name).pid is None:
            lab.host(name).boot()
        task = console.post(f"hosts/{hosts[name]}/check/")
        wait_for(lambda: console.task(task["id"])["status"] in ENDED, 60, "checked")  # noqa: B023
