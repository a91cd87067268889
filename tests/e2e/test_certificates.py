"""Certificates: renewed while clients go on; mended when all have ended while it was off."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import Lab
from tests.e2e.console import CHECKOUT, Console, wait_for
from tests.e2e.standard import Kubectl, create
from tests.e2e.steady_client import SteadyClient

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

CONTROL_PLANE = ["node1", "node2", "node3"]
HOSTS = [*CONTROL_PLANE, "node4"]


@pytest.fixture(scope="module")
def cluster(console: Console, lab: Lab) -> Iterator[int]:
    numbers = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    vip = f"{lab.host('node1').address.rpartition('.')[0]}.101"
    members = [numbers[name] for name in CONTROL_PLANE]
    number = create(console, "renewed", vip, members, [numbers["node4"]])["cluster"]["id"]
    yield number
    console.delete_cluster(number)


def renew(console: Console, cluster: int) -> None:
    task = console.post(f"clusters/{cluster}/renew-certificates/")["task"]["id"]
    console.wait(task, 300)


def served(lab: Lab) -> dict[str, str]:
    """What each host serves with, as it is served: API servers, etcd's and kubelets' files."""
    found = {}
    for name in HOSTS:
        port = 6443 if name in CONTROL_PLANE else 10250
        found[name] = ssl.get_server_certificate((lab.host(name).address, port), timeout=5)
    return found


def test_they_are_renewed_in_place_while_clients_go_on(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    before, listed = served(lab), console.get(f"clusters/{cluster}/certificates/")["certificates"]
    places = {row["place"] for row in listed}
    assert set(HOSTS) <= places
    assert sum(row["renews_itself"] for row in listed) == len(HOSTS)
    with (
        SteadyClient(kubectl.kubeconfig, "kept", kept=True) as kept,
        SteadyClient(kubectl.kubeconfig, "fresh", kept=False) as fresh,
    ):
        renew(console, cluster)
    print(f"kept: {kept.sent} sent, failed {kept.failed}, slowest {kept.slowest:.2f} s")
    print(f"fresh: {fresh.sent} sent, failed {fresh.failed}, slowest {fresh.slowest:.2f} s")
    # etcd restarts with its new certificate: a write that its leader had in hand may be refused.
    assert len(fresh.failed) + len(kept.failed) <= 2
    assert all("500" in why for _when, _verb, why in fresh.failed)
    after = served(lab)
    assert all(after[name] != before[name] for name in HOSTS)
    # The authorities stayed: a kubeconfig from before is as good as it was.
    assert all(kubectl.ready().values())
    now = {
        row["name"]: row for row in console.get(f"clusters/{cluster}/certificates/")["certificates"]
    }
    for row in listed:
        changed = now[row["name"]]["ends"] != row["ends"]
        assert changed == (not row["authority"] and not row["renews_itself"]), row["name"]


def test_a_cluster_whose_certificates_all_ended_while_it_was_off_is_mended_by_one_renewal(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    code = (CHECKOUT / "tests/e2e/expire.py").read_text()
    code = code.replace("CLUSTER = 0", f"CLUSTER = {cluster}")
    scripts = json.loads(console.manage("shell", "-c", code).splitlines()[-1])

    def through_the_year(name: str) -> None:
        lab.host(name).run(scripts[name])
        lab.host(name).power_cut()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(through_the_year, HOSTS))
        list(pool.map(lambda name: lab.host(name).boot(), HOSTS))
    wait_for(
        lambda: console.get(f"clusters/{cluster}/")["status"] == "unreachable", 60,
        "the console sees that the API is dead",
    )  # fmt: skip
    with pytest.raises(AssertionError):
        kubectl.ready()
    levels = {
        row["level"] for row in console.get(f"clusters/{cluster}/certificates/")["certificates"]
        if not row["authority"] and not row["renews_itself"]
    }  # fmt: skip
    assert levels == {"expired"}

    renew(console, cluster)
    assert kubectl.ready() == dict.fromkeys(HOSTS, True)
    rows = console.get(f"clusters/{cluster}/certificates/")["certificates"]
    assert {row["level"] for row in rows} == {"ok"}
    wait_for(
        lambda: console.get(f"clusters/{cluster}/")["status"] == "active", 30,
        "the console sees that the cluster is well",
    )  # fmt: skip
