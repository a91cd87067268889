"""Faults of a standard cluster: what is in its way while it is made, a full disk under etcd,
control planes that do not hear each other, and keepalived that comes and goes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import Host, Lab, faults, kubernetes
from provisioning.steps.keepalived import ADVERTISEMENT
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.faults import check, errors_of, failure, says, untouched
from tests.e2e.holder_watch import HolderWatch
from tests.e2e.network_faults import foreign_router, unheard
from tests.e2e.standard import Kubectl, body, holders, layers, wait_healthy
from tests.e2e.writer import Writer, stored

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

CONTROL_PLANE = ["node1", "node2", "node3"]
EVERYONE = [*CONTROL_PLANE, "node4"]
ETCD = "/var/lib/etcd"
SERVICES = "172.30.0.0/16"  # the lab of a run may lie in the default one
HIGHEST_ID = 255  # what the console chooses first


@pytest.fixture(scope="module")
def vip(lab: Lab) -> str:
    return f"{lab.host('node1').address.rpartition('.')[0]}.100"


@pytest.fixture(scope="module")
def numbers(console: Console) -> dict[str, int]:
    return {h["name"]: h["id"] for h in console.get("hosts/")["results"]}


@dataclass
class Attempts:
    """The creation of the module's cluster: refused by three faults at once, mended, retried."""

    cluster: int
    first: Any
    second: Any
    router_ids: set[str]


@pytest.fixture(scope="module")
def attempts(console: Console, lab: Lab, numbers: dict[str, int], vip: str) -> Iterator[Attempts]:
    node3, node4 = lab.host("node3"), lab.host("node4")
    places = [numbers[n] for n in CONTROL_PLANE], [numbers["node4"]]
    for name in EVERYONE:
        check(console, numbers[name])
    network = vip.rpartition(".")[0]
    with foreign_router(node4, HIGHEST_ID, f"{network}.240"):
        faults.fake_clock(node3, 3600)
        node4.run(f"ip address add {vip}/24 dev eth0")
        try:
            with untouched(lab, *EVERYONE):
                made = console.post(
                    "clusters/", body("faulty", vip, *places, service_cidr=SERVICES)
                )
                first = console.wait(made["task"]["id"], 120, "failed")
        finally:
            node4.run(f"ip address del {vip}/24 dev eth0")
            faults.fake_clock(node3, 0)
        # The other router stays: it is not in our way any more.
        console.post(f"tasks/{made['task']['id']}/retry/")
        second = console.wait(made["task"]["id"], 400)
        ask = "sed -n 's/^ *virtual_router_id //p' /etc/keepalived/keepalived.conf"
        ids = {lab.host(n).run(ask).strip() for n in CONTROL_PLANE}
        assert f" {network}.240/" in node4.run("ip -o -4 addr"), "nobody took theirs away"
        assert len(holders(lab, vip, EVERYONE)) == 1
    yield Attempts(made["cluster"]["id"], first, second, ids)
    console.delete_cluster(made["cluster"]["id"])


@pytest.fixture(scope="module")
def cluster(attempts: Attempts) -> int:
    return attempts.cluster


def refusal(console: Console, cluster: int, release: str) -> str:
    try:
        console.post(f"clusters/{cluster}/upgrade/?dry_run=true", {"release": release})
    except ApiError as error:
        return str(error)
    return ""


def problem_of(console: Console, cluster: int, member: str, code: str) -> Any:
    found = layers(console, cluster)["problems"]
    return next((p for p in found if (p["member"], p["code"]) == (member, code)), None)


def test_an_address_in_use_a_clock_that_is_off_and_a_router_id_that_is_heard_stop_the_creation(
    attempts: Attempts, lab: Lab, vip: str
) -> None:
    found = failure(attempts.first)
    says(found["found"], vip, lab.plan.mac(4), "node3", "60 min ahead", f"id {HIGHEST_ID}")
    says(found["hint"], "chrony", "Choose a free address", "MAC address", "Retry")
    says(found["expected"], "nothing has been changed")
    ran = {
        s["phase"] for s in attempts.first["steps"] if s["status"] not in ("pending", "canceled")
    }
    assert ran == {"preflight"}


def test_the_retry_takes_another_router_id_by_itself_and_finishes(
    console: Console, attempts: Attempts, kubectl: Kubectl
) -> None:
    assert attempts.second["id"] == attempts.first["id"] and attempts.second["attempt"] == 2
    assert attempts.router_ids == {str(HIGHEST_ID - 1)}
    assert kubectl.ready() == dict.fromkeys(EVERYONE, True)
    wait_healthy(console, attempts.cluster)


def test_an_even_number_of_control_planes_is_refused_unless_it_is_meant(
    console: Console, cluster: int, numbers: dict[str, int], vip: str
) -> None:
    before = console.get("tasks/")["results"][0]["id"]
    other = body("other", vip.replace(".100", ".101"), [numbers[n] for n in EVERYONE], [])
    for path in ("clusters/", "clusters/?dry_run=true"):
        says(errors_of(lambda: console.post(path, other))["control_plane"], "even")  # noqa: B023
    path, wish = f"clusters/{cluster}/remove-node/", {"host": "node3"}
    for asked in (path, f"{path}?dry_run=true"):
        errors = errors_of(lambda: console.post(asked, wish))  # noqa: B023
        says(errors["accept_even"], "2 control planes", "odd number")
    assert console.post(f"{path}?dry_run=true", {**wish, "accept_even": True})["plan"]["changes"]
    assert console.get("tasks/")["results"][0]["id"] == before


def test_two_hosts_never_have_the_vip_for_longer_than_an_advertisement(
    lab: Lab, cluster: int, vip: str
) -> None:
    child = "kill -KILL $(pgrep -P $(systemctl show -P MainPID keepalived))"
    with HolderWatch(lab, vip, CONTROL_PLANE) as watch:
        for act, mend in (
            ("systemctl stop keepalived", "systemctl start keepalived"),
            ("systemctl kill -s KILL keepalived", ""),
            (child, ""),
            ("systemctl restart keepalived", ""),
            ("systemctl stop haproxy", "systemctl start haproxy"),
            ("systemctl reload keepalived", ""),
        ):
            (holder,) = holders(lab, vip, CONTROL_PLANE)
            lab.host(holder).run(act)
            time.sleep(1)
            wait_for(lambda: holders(lab, vip, CONTROL_PLANE), 10, f"somebody after {act}")
            if mend:
                lab.host(holder).run(mend)
            time.sleep(1.5)
            assert len(holders(lab, vip, CONTROL_PLANE)) == 1, act
    two, nobody = watch.stretches(2), watch.stretches(0)
    print("events:", len(watch.events), "two holders:", [f"{s * 1000:.1f} ms" for s in two])
    print("nobody:", [f"{s * 1000:.0f} ms" for s in nobody])
    assert len(watch.events) >= 6, "this test would not notice anything"
    assert max(two, default=0.0) <= ADVERTISEMENT
    assert watch.stretches(3) == []


def directly(kubectl: Kubectl, host: Host, folder: Path) -> Path:
    """A kubeconfig that goes to one API server, past the VIP."""
    config = yaml.safe_load(kubectl.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://{host.address}:6443"
    path = folder / f"{host.name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize("holds", [False, True], ids=["another", "the holder"])
def test_a_control_plane_that_the_others_do_not_hear_acknowledges_nothing(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab, vip: str, tmp_path: Path,
    holds: bool,
) -> None:  # fmt: skip
    wait_healthy(console, cluster)
    (holder,) = holders(lab, vip, CONTROL_PLANE)
    lonely = holder if holds else next(n for n in CONTROL_PLANE if n != holder)
    rest = [n for n in CONTROL_PLANE if n != lonely]
    namespaces = [f"entry-{holds}".lower(), f"lonely-{holds}".lower()]
    for namespace in namespaces:
        kubectl.run("create", "namespace", namespace)
    host = lab.host(lonely)
    with (
        Writer(kubectl.kubeconfig, namespaces[0]) as entry,
        Writer(directly(kubectl, host, tmp_path), namespaces[1]) as alone,
    ):
        wait_for(lambda: len(alone.acked) > 10 and len(entry.acked) > 10, 30, "both write")
        with (
            HolderWatch(lab, vip, CONTROL_PLANE) as watch,
            unheard(host, [lab.host(n) for n in rest]),
        ):
            cut = time.monotonic()
            # Neither side hears the other, so both take the VIP; the one without an API server
            # behind its HAProxy then lets it go.
            wait_for(lambda: len(holders(lab, vip, CONTROL_PLANE)) == 2, 20, "both sides have it")
            wait_for(lambda: len(holders(lab, vip, CONTROL_PLANE)) == 1, 40, "one has it again")
            assert len(holders(lab, vip, rest)) == 1, "and that is one of the majority"
            sorted_out = time.monotonic() - cut
            count, last = len(entry.acked), len(alone.acked)
            wait_for(lambda: len(entry.acked) > count + 50, 60, "writes go on through the VIP")
            assert len(alone.acked) == last, "the minority has acknowledged something"
            outage = entry.longest(cut - 1)
        wait_for(lambda: len(alone.acked) > last, 60, "it writes again")
    print(f"{lonely}, holder: {holds}: one holder after {sorted_out:.1f} s; "
          f"writes through the VIP stood still for {outage:.1f} s; two holders: "
          f"{[f'{s:.2f} s' for s in watch.stretches(2)]}")  # fmt: skip
    wait_healthy(console, cluster)
    assert len(holders(lab, vip, CONTROL_PLANE)) == 1
    for writer, namespace in zip((entry, alone), namespaces, strict=True):
        assert set(writer.acked) <= stored(kubectl, namespace), "what was acknowledged is there"


@contextmanager
def small_etcd_disk(host: Host) -> Iterator[None]:
    """etcd's data on a file system of their own, with little room; moved back at the end."""
    keep = "/root/etcd.kept"
    host.run(f"systemctl stop etcd && cp -a {ETCD} {keep}")
    try:
        used = int(host.run(f"du -sm {ETCD} | cut -f1"))
        faults.limit_disk(host, ETCD, (used + 150) * 2**20)
        host.run(f"chmod 700 {ETCD}; cp -a {keep}/. {ETCD}/; systemctl start etcd")
        yield
    finally:
        host.run(f"systemctl stop etcd; rm -rf {keep}; rm -f {ETCD}/{faults.FILLER}")
        host.run(f"cp -a {ETCD} {keep}")
        faults.free_disk(host, ETCD)
        host.run(f"rm -rf {ETCD}/member; cp -a {keep}/. {ETCD}/; rm -rf {keep}")
        host.run("systemctl start etcd", timeout=90)


def fill_store(kubectl: Kubectl) -> None:
    """Some megabytes more in etcd, so that its files have to grow."""
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"big-{n}"},
         "data": {"text": chr(97 + n) * 500_000}}
        for n in range(16)
    ]  # fmt: skip
    text = "\n---\n".join(map(json.dumps, maps))
    for _attempt in range(2):  # a member that gives up may take a request with it
        try:
            kubectl.run("-n", "full", "create", "--save-config=false", "-f", "-", stdin=text)
            return
        except AssertionError as error:
            if "AlreadyExists" in str(error):
                return


def test_the_disk_of_an_etcd_member_is_full_and_the_cluster_goes_on(
    console: Console, cluster: int, kubectl: Kubectl, lab: Lab
) -> None:
    new = kubernetes.NEXT_VERSION
    if new not in {r["version"] for r in console.get("releases/")["results"]}:
        console.manage("release", "import", str(kubernetes.ensure(new, print).folder))
    wait_healthy(console, cluster)
    kubectl.run("create", "namespace", "full")
    members = layers(console, cluster)["data"]["members"]
    name = next(m["name"] for m in members if m["etcd"]["leads"])
    host = lab.host(name)
    with small_etcd_disk(host):
        wait_healthy(console, cluster)
        with Writer(kubectl.kubeconfig, "full") as writer:
            time.sleep(1)
            faults.fill_disk(host, ETCD)
            begin = time.monotonic()
            fill_store(kubectl)
            said = wait_for(lambda: problem_of(console, cluster, name, "etcd_down"), 60,
                            "the console names the member",
                            lambda: str(layers(console, cluster)["problems"]))  # fmt: skip
            says(said["what"] + said["mend"], name, "etcd", "journalctl -u etcd")
            count = len(writer.acked)
            wait_for(lambda: len(writer.acked) > count + 50, 60, "writes go on")
            outage = writer.longest(begin - 1)
            # systemd starts it again and again, and for moments it looks well.
            wait_for(lambda: console.get(f"clusters/{cluster}/")["status"] == "degraded", 60,
                     "the cluster is shown as degraded")  # fmt: skip
            why = wait_for(lambda: refusal(console, cluster, new), 60, "no upgrade now")
            says(why, f"etcd on {name} is not well", "before the upgrade")
            repair = console.post(f"clusters/{cluster}/repair/")["task"]["id"]
            found = failure(console.wait(repair, 200, "failed"))
            assert (found["code"], found["host"]) == ("disk_full", name), found
            says(found["hint"], "Free space")
            host.run(f"rm {ETCD}/{faults.FILLER}")
            # Nobody helps it: systemd starts it again, and it catches up.
            wait_for(lambda: not problem_of(console, cluster, name, "etcd_down"), 60, "it is back")
        print(f"{name}, which led: writes stood still for {outage:.1f} s")
        assert set(writer.acked) <= stored(kubectl, "full")
    console.post(f"tasks/{repair}/retry/")
    console.wait(repair, 200)
    wait_healthy(console, cluster)
