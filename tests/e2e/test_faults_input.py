"""Bad input over REST: each refused at its field, all or nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.console import Console
from tests.e2e.faults import body_of, conflict_of, create_refused, errors_of, says

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "name",
    ["", "Upper", "under_score", "-first", "last-", "dotted.name", "a" * 64, "名字", "$(reboot)",
     "a b", "a\nb"],
)  # fmt: skip
def test_a_cluster_name_that_is_no_dns_label(
    console: Console, hosts: dict[str, int], name: str
) -> None:
    body = body_of(name, [hosts["node3"]], [hosts["node4"]])
    errors = errors_of(lambda: console.post("clusters/", body))
    assert set(errors) == {"name"}
    assert console.get(f"hosts/{hosts['node3']}/")["cluster"] is None


@pytest.mark.parametrize(
    ("networks", "field", "words"),
    [
        ({"pod_cidr": "10.96.0.0/12"}, "service_cidr", ["10.96.0.0/12", "10.96.0.0/16"]),
        ({"service_cidr": "10.244.1.0/24"}, "service_cidr", ["10.244"]),
        ({"pod_cidr": "10.0.0.0/8", "service_cidr": "172.30.0.0/16"}, "pod_cidr", ["node"]),
        ({"pod_cidr": "10.244.0.0/24"}, "pod_cidr", ["10.244.0.0/24"]),
        ({"pod_cidr": "10.244.0.1/16"}, "pod_cidr", ["10.244.0.0/16"]),
        ({"pod_cidr": "not a network"}, "pod_cidr", ["10.244.0.0/16"]),
        ({"service_cidr": "fd00::/108"}, "service_cidr", ["IPv4"]),
    ],
)
def test_networks_that_overlap_or_are_none(
    console: Console,
    hosts: dict[str, int],
    networks: dict[str, str],
    field: str,
    words: list[str],
) -> None:
    errors = create_refused(console, [hosts["node3"]], [hosts["node4"]], **networks)
    says(errors[field], *words)


def test_the_network_of_the_hosts_themselves(console: Console, hosts: dict[str, int]) -> None:
    own = console.get(f"hosts/{hosts['node3']}/")["address"].rsplit(".", 1)[0]
    errors = create_refused(console, [hosts["node3"]], [], service_cidr=f"{own}.0/24")
    says(errors["service_cidr"], own, "node3")


def test_hosts_that_do_not_go_together(console: Console, hosts: dict[str, int]) -> None:
    three, four = hosts["node3"], hosts["node4"]
    says(create_refused(console, [three, four], [])["control_plane"], "exactly one")
    says(create_refused(console, [], [four])["control_plane"], "exactly one")
    twice = create_refused(console, [three], [three])
    says(twice, "node3", "twice")
    unknown = create_refused(console, [three], ["nobody"])  # type: ignore[list-item]
    says(unknown["workers"], "nobody")
    says(create_refused(console, [three], [], release="v1.99.0")["release"], "release")
    standard = create_refused(console, [three], [], profile="standard")
    says(standard["control_plane"], "3 or 5")
    says(standard["workers"], "worker")
    says(standard["vip"], "missing")
    says(create_refused(console, [three], [], profile="huge")["profile"], "standard", "light")


def test_lines_of_hosts_are_taken_all_or_none(console: Console, hosts: dict[str, int]) -> None:
    known = console.get(f"hosts/{hosts['node1']}/")["address"]
    lines = "\n".join(
        [
            "root@192.0.2.1:22 good",
            "root@192.0.2.2:99999 port",
            "root@192.0.2.3 Under_Score",
            "root@192.0.2.4 good",
            f"root@{known}:22 other-name",
            "root@192.0.2.6 node2",
            "root@192.0.2.7 a b c",
            "-oProxyCommand=reboot@192.0.2.8 option",
            "root@300.1.1.1 numbers",
            "root@192.0.2.1 again",
        ]
    )
    before = [h["name"] for h in console.get("hosts/")["results"]]
    errors = errors_of(lambda: console.post("hosts/bulk/", {"hosts": lines}))
    assert set(errors) == {"hosts"}
    for number in range(2, 11):
        says(errors["hosts"], f"Line {number},")
    assert "Line 1," not in errors["hosts"]
    says(errors["hosts"], "99999", "Under_Score", "node1", "node2", "300.1.1.1")
    assert [h["name"] for h in console.get("hosts/")["results"]] == before


def test_one_host_with_a_bad_or_taken_name_or_address(
    console: Console, hosts: dict[str, int]
) -> None:
    known = console.get(f"hosts/{hosts['node1']}/")["address"]

    def refused(**body: Any) -> dict[str, str]:
        return errors_of(lambda: console.post("hosts/", body))

    assert set(refused(address="192.0.2.1", name="Bad_Name")) == {"name"}
    says(refused(address="192.0.2.1", name="node1")["name"], "node1")
    says(refused(address=known, name="fresh")["address"], "node1")
    assert set(refused(address="192.0.2.1", port=0, name="fresh")) == {"port"}
    assert set(refused(address="192.0.2.1", name="fresh", first_password="x1")) == {"credential"}
    assert len(console.get("hosts/")["results"]) == len(hosts)


def test_a_key_with_a_wrong_passphrase(console: Console, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "right horse", "-f", key], check=True
    )
    body = {"name": "locked", "private_key": key.read_text(), "passphrase": "wrong horse"}
    errors = errors_of(lambda: console.post("credentials/", body))
    assert set(errors) == {"passphrase"}
    without = errors_of(lambda: console.post("credentials/", {**body, "passphrase": ""}))
    assert set(without) == {"passphrase"}
    cut = key.read_text().splitlines()
    broken = {**body, "private_key": "\n".join(cut[:2] + cut[-1:])}
    assert set(errors_of(lambda: console.post("credentials/", broken))) == {"private_key"}
    assert not [c for c in console.get("credentials/")["results"] if c["name"] == "locked"]
    made = console.post("credentials/", {**body, "passphrase": "right horse"})
    assert "right horse" not in str(made) and "PRIVATE" not in str(made)
    again = errors_of(lambda: console.post("credentials/", {**body, "passphrase": "right horse"}))
    says(again["name"], "locked")
    console.delete(f"credentials/{made['id']}/")


def test_a_credential_in_use_is_not_forgotten(console: Console, hosts: dict[str, int]) -> None:
    number = console.get(f"hosts/{hosts['node1']}/")["credential"]
    says(conflict_of(lambda: console.delete(f"credentials/{number}/")), "node1")
