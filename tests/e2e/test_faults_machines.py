"""Machines that are not what they were: a wrong clock, another key, another machine at the same
address; and a snapshot of another cluster. Two small clusters serve for all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import Lab, faults
from tests.e2e.console import Console
from tests.e2e.faults import body_of, check, errors_of, failure, says, untouched
from tests.e2e.test_faults_hosts import KEEP_KEY, NEW_KEY, OLD_KEY
from tests.e2e.test_kill_standard import bare

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(900)]

SERVICES = "172.30.0.0/16"  # the lab of a run may lie in the default one
OTHER_ID = "0123456789abcdef0123456789abcdef"


# What a running host of a cluster does not change by itself: settings, programs, starts of units.
SETTLED = r"""
find /etc /opt/kubernetes /opt/cni -xdev ! -type d -printf '%p %s %T@ %l\n' 2>/dev/null | sort
systemctl show -p Id -p InvocationID etcd kube-apiserver kubelet kube-proxy containerd
"""


def settled(lab: Lab, name: str) -> list[str]:
    return lab.host(name).run(SETTLED).splitlines()


@pytest.fixture(scope="module")
def numbers(console: Console) -> dict[str, int]:
    return {h["name"]: h["id"] for h in console.get("hosts/")["results"]}


@pytest.fixture(scope="module")
def clusters(console: Console, numbers: dict[str, int]) -> Iterator[dict[str, int]]:
    """left: node1 with the worker node2; right: node3 alone. node4 is free."""
    wanted = (
        body_of("left", [numbers["node1"]], [numbers["node2"]], service_cidr=SERVICES),
        body_of(
            "right", [numbers["node3"]], [], service_cidr=SERVICES, schedule_on_control_plane=True
        ),
    )
    made = [console.post("clusters/", body) for body in wanted]
    for answer in made:
        console.wait(answer["task"]["id"], 400)
    yield {answer["cluster"]["name"]: answer["cluster"]["id"] for answer in made}
    for row in console.get("clusters/")["results"]:
        console.delete_cluster(row["id"])


def test_a_newcomer_with_a_wrong_clock_is_refused_with_figures_and_joins_once_it_is_right(
    console: Console, lab: Lab, clusters: dict[str, int], numbers: dict[str, int]
) -> None:
    path, wish = f"clusters/{clusters['right']}/add-nodes/", {"workers": ["node4"]}
    node4 = lab.host("node4")
    check(console, numbers["node4"])
    faults.fake_clock(node4, -3600)
    try:
        before = settled(lab, "node3")
        with untouched(lab, "node4"):
            # The console has not looked since: the task does, before it changes anything.
            number = console.post(path, wish)["task"]["id"]
            found = failure(console.wait(number, 120, "failed"))
            assert (found["code"], found["host"]) == ("clock", "node4")
            says(found["found"], "node4", "60 min behind")
            says(found["hint"], "chrony")
        assert settled(lab, "node3") == before
    finally:
        faults.fake_clock(node4, 0)
    console.post(f"tasks/{number}/retry/")
    console.wait(number)
    nodes = lab.host("node3").run(
        "/opt/kubernetes/current/kubectl --kubeconfig=/etc/kubernetes/admin.conf get nodes -o name"
    )
    assert nodes.split() == ["node/node3", "node/node4"]


def test_a_snapshot_of_another_cluster_is_not_restored(
    console: Console, lab: Lab, clusters: dict[str, int]
) -> None:
    task = console.post(f"clusters/{clusters['left']}/snapshots/")["task"]["id"]
    console.wait(task, 120)
    (row,) = console.get(f"clusters/{clusters['left']}/snapshots/")["results"]
    path, wish = f"clusters/{clusters['right']}/restore/", {"snapshot": row["id"]}
    before = settled(lab, "node3")
    for asked in (path, f"{path}?dry_run=true"):
        errors = errors_of(lambda: console.post(asked, wish))  # noqa: B023
        says(errors["snapshot"], "no snapshot of right", "its own")
    assert settled(lab, "node3") == before
    newest: Any = console.get("tasks/")["results"][0]
    assert newest["id"] == task
    # Its own would do.
    plan = console.post(f"clusters/{clusters['left']}/restore/?dry_run=true", wish)["plan"]
    assert plan["changes"]


def test_what_is_not_the_machine_that_joined_is_left_out_of_a_deletion(
    console: Console, lab: Lab, clusters: dict[str, int], numbers: dict[str, int]
) -> None:
    """node4 shows another key. node2 shows the right one and is another machine all the same."""
    node2, node4 = lab.host("node2"), lab.host("node4")
    own = node2.run("cat /etc/machine-id").strip()
    node4.run(KEEP_KEY)
    node4.run(NEW_KEY)
    node2.run(f"mv /var/lib/flotilla /root/kept && echo {OTHER_ID} >/etc/machine-id")
    try:
        theirs = {name: settled(lab, name) for name in ("node2", "node4")}
        assert all("Id=kubelet.service" in lines for lines in theirs.values())
        deletions = {
            name: console.delete(f"clusters/{number}/")["task"]["id"]
            for name, number in clusters.items()
        }
        for task, name, words in (
            (console.wait(deletions["left"], 200), "node2", ("another machine", OTHER_ID)),
            (console.wait(deletions["right"], 200), "node4", ("key",)),
        ):
            skipped = {s["host"] for s in task["steps"] if s["status"] == "skipped"}
            assert skipped == {name}
            host = console.get(f"hosts/{numbers[name]}/")
            assert host["cluster"] is None
            (cleanup,) = host["cleanups"]
            says(cleanup, *words)
            assert settled(lab, name) == theirs[name], "nothing was undone on it"
        # Cleaning it up while it is another machine is refused too.
        number = console.post(f"hosts/{numbers['node2']}/clean-up/")["id"]
        found = failure(console.wait(number, 120, "failed"))
        says(found["found"], "not the one of this clean-up")
        assert settled(lab, "node2") == theirs["node2"]
    finally:
        node2.run(f"mv /root/kept /var/lib/flotilla; echo {own} >/etc/machine-id")
        node4.run(OLD_KEY)
    for name in ("node2", "node4"):
        check(console, numbers[name])
        console.wait(console.post(f"hosts/{numbers[name]}/clean-up/")["id"])
        assert console.get(f"hosts/{numbers[name]}/")["cleanups"] == []
    assert bare(lab) == ""
