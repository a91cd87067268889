"""Kill, freeze and cut the power: the task goes on, and the end is the same as without."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from lab import Lab
from tests.e2e.console import ENDED, Console, wait_for
from tests.e2e.kills import AT_RANDOM, SEED, no_line_lost

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1500)]

# Everything on a host that says what the cluster is; what differs from one creation to the
# next by nature (keys, certificates, tokens, containers) is compared by name only.
STATE = r"""
for d in /etc/kubernetes /etc/systemd/system /etc/cni /etc/containerd /etc/sysctl.d \
         /etc/modules-load.d /opt/kubernetes /var/lib/flotilla; do
  find "$d" -xdev \( -type f -o -type l \) 2>/dev/null
done | grep -vE '\.(crt|key|pem)$|/backup/|undo.log$|/marks$' | sort | while read -r f; do
  if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"
  else echo "$f $(stat -c '%a %U' "$f")"; fi
done
systemctl is-active etcd kube-apiserver kube-controller-manager kube-scheduler kubelet \
  kube-proxy containerd
systemctl is-enabled etcd kube-apiserver kubelet kube-proxy containerd 2>&1
cut -d' ' -f1 /var/lib/flotilla/*/undo.log | sort
ip route | grep -v cni0 | sort
"""


def state(lab: Lab, cluster: int, *names: str) -> dict[str, list[str]]:
    return {
        name: lab.host(name)
        .run(STATE + "\ntrue")
        .replace(f"/var/lib/flotilla/{cluster}/", "/var/lib/flotilla/N/")
        .splitlines()
        for name in names
    }


@pytest.fixture(scope="module")
def undisturbed(console: Console, lab: Lab) -> dict[str, list[str]]:
    """What the hosts look like after a creation that nobody disturbed."""
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    made = console.create("calm", [hosts["node1"]], [hosts["node2"]])
    console.wait(made["task"]["id"])
    seen = state(lab, made["cluster"]["id"], "node1", "node2")
    console.delete_cluster(made["cluster"]["id"])
    return seen


def journal(task: Any) -> list[tuple[str, str, str]]:
    return [(s["step"], s["host"], s["status"]) for s in task["steps"]]


def test_the_worker_is_killed_after_every_step(
    console: Console, lab: Lab, hosts: dict[str, int], undisturbed: dict[str, list[str]]
) -> None:
    made = console.create("boundaries", [hosts["node1"]], [hosts["node2"]])
    number = made["task"]["id"]
    kills, seen = 0, set()
    deadline = time.monotonic() + 900
    while (task := console.task(number))["status"] not in ENDED:
        assert time.monotonic() < deadline, console.tail(number)
        done = {(s, h) for s, h, status in journal(task) if status in ("changed", "unchanged")}
        if done - seen:
            console.kill("worker")
            console.start_worker()
            kills += 1
            seen = done
        time.sleep(0.02)
    assert task["status"] == "succeeded", (task["failure"], console.tail(number))
    assert kills >= 10
    assert state(lab, made["cluster"]["id"], "node1", "node2") == undisturbed
    no_line_lost(console, number)
    console.delete_cluster(made["cluster"]["id"])


def test_the_worker_is_killed_at_random(
    console: Console, lab: Lab, hosts: dict[str, int], undisturbed: dict[str, list[str]]
) -> None:
    print(f"FLOTILLA_TEST_SEED={SEED}")
    pauses = random.Random(SEED)
    kills = 0
    for attempt in range(6):
        made = console.create(f"random-{attempt}", [hosts["node1"]], [hosts["node2"]])
        number = made["task"]["id"]
        while console.task(number)["status"] not in ENDED and kills < 5 * (attempt + 1):
            time.sleep(pauses.uniform(0.1, 6))
            console.kill("worker")
            console.start_worker()
            kills += 1
        console.wait(number, 400)
        assert state(lab, made["cluster"]["id"], "node1", "node2") == undisturbed, f"seed {SEED}"
        no_line_lost(console, number)
        # The deletion is killed as well.
        gone = console.delete(f"clusters/{made['cluster']['id']}/")["task"]["id"]
        for _ in range(2):
            time.sleep(pauses.uniform(0.1, 2))
            console.kill("worker")
            console.start_worker()
            kills += 1
        console.wait(gone, 200)
        if kills >= AT_RANDOM:
            break
    assert kills >= AT_RANDOM
    left = lab.host("node1").run("ls -d /var/lib/flotilla /etc/kubernetes 2>/dev/null; true")
    assert left == ""


def test_a_frozen_worker_that_wakes_up_can_do_nothing_more(
    console: Console, lab: Lab, hosts: dict[str, int], undisturbed: dict[str, list[str]]
) -> None:
    made = console.create("frozen", [hosts["node1"]], [hosts["node2"]])
    number = made["task"]["id"]
    wait_for(
        lambda: any(s["step"] == "binaries" and s["status"] == "running"
                    for s in console.task(number)["steps"]),
        60, "the programs are being copied",
    )  # fmt: skip
    frozen = console.processes.pop("worker")
    os.killpg(frozen.pid, signal.SIGSTOP)
    attempt = console.task(number)["attempt"]
    console.start_worker()
    wait_for(lambda: console.task(number)["attempt"] > attempt, 60, "another worker takes over")
    os.killpg(frozen.pid, signal.SIGCONT)
    task = console.wait(number)
    assert task["attempt"] == attempt + 1
    assert frozen.poll() is None  # it lives on and may take other tasks
    assert "taken over by another worker" in console.log_of("worker")
    assert state(lab, made["cluster"]["id"], "node1", "node2") == undisturbed
    no_line_lost(console, number)
    os.killpg(frozen.pid, signal.SIGKILL)
    console.delete_cluster(made["cluster"]["id"])


def test_a_worker_host_loses_power_during_its_step_and_retry_finishes(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    made = console.create("power", [hosts["node1"]], [hosts["node2"]])
    number = made["task"]["id"]
    wait_for(
        lambda: any(s["step"] == "binaries" and s["host"] == "node2" and s["status"] == "running"
                    for s in console.task(number)["steps"]),
        60, "the programs are being copied to node2",
    )  # fmt: skip
    lab.host("node2").power_cut()
    task = console.wait(number, 120, status="failed")
    assert task["failure"]["host"] == "node2"
    assert task["failure"]["hint"]
    on_first = [s for s in task["steps"] if s["host"] == "node1" and s["step"] == "binaries"]
    assert on_first[0]["status"] == "changed"
    assert console.get(f"clusters/{made['cluster']['id']}/")["status"] == "failed"
    lab.host("node2").boot()
    console.post(f"tasks/{number}/retry/")
    task = console.wait(number)
    # What had been done was not done again.
    again = [s for s in task["steps"] if s["host"] == "node1" and s["step"] == "binaries"]
    assert again[0]["attempt"] == 1
    console.delete_cluster(made["cluster"]["id"])


def test_cancel_reaches_the_remote_process_and_the_journal_is_true(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    made = console.create("canceled", [hosts["node1"]], [hosts["node2"]])
    number = made["task"]["id"]
    wait_for(
        lambda: any(s["step"] == "binaries" and s["status"] == "running"
                    for s in console.task(number)["steps"]),
        60, "the programs are being copied",
    )  # fmt: skip
    console.post(f"tasks/{number}/cancel/")
    task = console.wait(number, 60, status="canceled")
    assert not [s for s in task["steps"] if s["status"] == "running"]
    for name in ("node1", "node2"):
        marked = "grep -lzE ^FLOTILLA_RUN= /proc/[0-9]*/environ 2>/dev/null; true"
        assert lab.host(name).run(marked) == ""
    console.post(f"tasks/{number}/retry/")
    console.wait(number)
    console.delete_cluster(made["cluster"]["id"])
