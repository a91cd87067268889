"""Hosts and releases that do not fit, and what breaks in mid-run: said where it is, and mended."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab import Host, Lab, faults
from provisioning.releases_store import unpacked
from tests.e2e.console import Console, wait_for
from tests.e2e.faults import (
    body_of,
    check,
    create_refused,
    delete_all,
    errors_of,
    failure,
    says,
    traces,
    untouched,
)

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(900)]

MIB = 2**20


@pytest.fixture(autouse=True)
def _nothing_left(console: Console) -> Iterator[None]:
    yield
    delete_all(console)


@contextmanager
def port_taken(host: Host, port: int) -> Iterator[None]:
    host.run(f"systemd-run -q --unit=squatter busybox httpd -f -p {port}; sleep 0.3")
    try:
        yield
    finally:
        host.run("systemctl stop squatter 2>/dev/null; systemctl reset-failed squatter; true")


@contextmanager
def clock_off(host: Host, seconds: int) -> Iterator[None]:
    faults.fake_clock(host, seconds)
    try:
        yield
    finally:
        faults.fake_clock(host, 0)


@contextmanager
def small_disk(host: Host, path: str, size: int) -> Iterator[None]:
    faults.limit_disk(host, path, size)
    try:
        yield
    finally:
        faults.free_disk(host, path)


@contextmanager
def machine_id_of(host: Host, other: Host) -> Iterator[None]:
    own = host.run("cat /etc/machine-id").strip()
    host.run(f"echo {other.run('cat /etc/machine-id').strip()} >/etc/machine-id")
    try:
        yield
    finally:
        host.run(f"echo {own} >/etc/machine-id")


@contextmanager
def foreign_kubernetes(host: Host) -> Iterator[None]:
    host.run(
        "mkdir -p /etc/kubernetes/manifests && echo theirs >/etc/kubernetes/manifests/etcd.yaml && "
        "printf '[Service]\\nExecStart=/bin/sleep 1d\\n' >/etc/systemd/system/kubelet.service && "
        "systemctl daemon-reload"
    )
    try:
        yield
    finally:
        host.run("rm -r /etc/kubernetes /etc/systemd/system/kubelet.service")
        host.run("systemctl daemon-reload")


def test_each_fault_of_a_host_is_refused_at_its_list(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    three, four = hosts["node3"], hosts["node4"]
    node3, node4 = lab.host("node3"), lab.host("node4")
    with port_taken(node3, 6443), clock_off(node4, 3600):
        check(console, three), check(console, four)
        with untouched(lab, "node3", "node4"):
            errors = create_refused(console, [three], [four])
        says(errors["control_plane"], "node3", "port 6443", "kube-apiserver", "busybox")
        says(errors["workers"], "node4", "clock", "60 min ahead", "chrony")
        # A worker needs no port 6443.
        errors = create_refused(console, [four], [three])
        assert "workers" not in errors
    with machine_id_of(node4, node3), small_disk(node3, "/opt", 200 * MIB):
        check(console, three), check(console, four)
        with untouched(lab, "node3", "node4"):
            errors = create_refused(console, [three], [four])
        says(errors["workers"], "node4", "machine id", "node3", "systemd-machine-id-setup")
        says(errors["control_plane"], "node3", "MiB are free on /opt", "needs")
    with foreign_kubernetes(node4):
        check(console, four), check(console, three)
        errors = create_refused(console, [three], [four])
        says(errors["workers"], "node4", "Kubernetes is or was on it", "kubelet.service")
        assert node4.run("cat /etc/kubernetes/manifests/etcd.yaml") == "theirs"
    check(console, four)
    assert "plan" in console.post("clusters/?dry_run=true", body_of("fine", [three], [four]))


def test_faults_that_came_after_the_last_check_stop_the_launch_before_any_change(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    three, four = hosts["node3"], hosts["node4"]
    node3, node4 = lab.host("node3"), lab.host("node4")
    check(console, three), check(console, four)
    with ExitStack() as all_at_once, untouched(lab, "node3"):
        for fault in (
            port_taken(node3, 6443), clock_off(node3, -3600), machine_id_of(node4, node3),
            foreign_kubernetes(node4),
        ):  # fmt: skip
            all_at_once.enter_context(fault)
        theirs = traces(node4)
        made = console.post("clusters/", body_of("late", [three], [four]))
        task = console.wait(made["task"]["id"], 120, "failed")
        says(
            failure(task),
            "port 6443", "busybox", "60 min behind", "machine id", "Kubernetes is or was on it",
        )  # fmt: skip
        says(failure(task)["expected"], "nothing has been changed")
        done = [s for s in task["steps"] if s["status"] not in ("pending", "canceled")]
        assert {s["phase"] for s in done} == {"preflight"}
        assert console.get(f"clusters/{made['cluster']['id']}/")["status"] == "failed"
        taken = errors_of(lambda: console.post("clusters/", body_of("late", [three], [four])))
        says(taken["name"], "late")
        says(taken["control_plane"], "node3", "late")
        # Deleting it puts nothing "back" on hosts that it never changed.
        console.delete_cluster(made["cluster"]["id"])
        assert traces(node4) == theirs
        node4.run("test -f /etc/kubernetes/manifests/etcd.yaml")
    for host in (three, four):
        assert check(console, host)["host"]["cluster"] is None


def test_a_release_of_another_architecture(
    console: Console, hosts: dict[str, int], tmp_path: Path
) -> None:
    names = (
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet",
        "kube-proxy",
    )  # fmt: skip
    files = []
    for name in names:
        content = f"not really {name}\n".encode()
        (tmp_path / name).write_bytes(content)
        files.append({"name": name, "sha256": hashlib.sha256(content).hexdigest()})
    manifest = {
        "version": "v1.22.0", "arch": "arm64", "files": files,
        "pause_image": "example.org/pause:1", "verify_image": "example.org/busybox:1",
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    console.manage("release", "import", str(tmp_path))
    try:
        errors = create_refused(console, [hosts["node3"]], [hosts["node4"]], release="v1.22.0")
    finally:
        made = [r for r in console.get("releases/")["results"] if r["version"] == "v1.22.0"]
        console.delete(f"releases/{made[0]['id']}/")
    says(errors["control_plane"], "node3", "amd64", "arm64")
    says(errors["workers"], "node4", "amd64", "arm64")


def release_file(console: Console, name: str) -> Path:
    return next((console.data / "releases").glob(f"v1.20.2-*/{name}.zst"))


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """One bit in the middle of a file is the other one."""
    middle = path.stat().st_size // 2

    def flip() -> None:
        with path.open("r+b") as file:
            file.seek(middle)
            (byte,) = file.read(1)
            file.seek(middle)
            file.write(bytes([byte ^ 1]))

    flip()
    try:
        yield
    finally:
        flip()


def test_a_release_with_a_flipped_byte_then_a_disk_that_fills_then_retry_finishes(
    console: Console, lab: Lab, hosts: dict[str, int]
) -> None:
    three, four = hosts["node3"], hosts["node4"]
    node3 = lab.host("node3")
    check(console, three), check(console, four)
    with flipped(release_file(console, "kubelet")):
        made = console.post("clusters/", body_of("bitten", [three], [four]))
        number = made["task"]["id"]
        task = console.wait(number, 300, "failed")
        print("flipped:", failure(task))
        says(failure(task), "kubelet")
        assert failure(task)["code"] in ("checksum", "release")
        for name in ("node3", "node4"):
            wrong = "find / -xdev -name '*kubelet*' -size +1M -not -path '/proc/*'; true"
            assert lab.host(name).run(wrong) == ""
    # Mended on the console. Now the disk fills up while the programs are copied.
    there = int(node3.run("du -sm /opt | cut -f1"))
    node3.run("cp -a /opt /root/opt.kept")
    with small_disk(node3, "/opt", (there + 60) * MIB):
        node3.run("cp -a /root/opt.kept/. /opt/")
        console.post(f"tasks/{number}/retry/")
        task = console.wait(number, 300, "failed")
        print("full:", failure(task))
        assert failure(task)["code"] == "disk_full"
        says(failure(task), "node3", "/opt", "MiB free")
        assert console.get(f"clusters/{made['cluster']['id']}/")["status"] == "failed"
        refused = errors_of(lambda: console.post("clusters/", body_of("other", [three], [])))
        says(refused["control_plane"], "node3", "bitten")
    node3.run("rm -r /root/opt.kept")
    begin = time.monotonic()
    console.post(f"tasks/{number}/retry/")
    task = console.wait(number)
    print(f"retry: {time.monotonic() - begin:.1f} s, attempt {task['attempt']}")
    cluster = made["cluster"]["id"]
    wait_for(lambda: console.get(f"clusters/{cluster}/")["status"] == "active", 30, "active")
    right = hashlib.sha256(b"".join(unpacked(release_file(console, "kubelet")))).hexdigest()
    for name in ("node3", "node4"):
        there = lab.host(name).run("sha256sum </opt/kubernetes/current/kubelet").split()[0]
        assert there == right
    lines = [line["seq"] for line in console.lines(number)]
    assert lines == list(range(1, len(lines) + 1))
    refused = errors_of(lambda: console.post("clusters/", body_of("other", [four], [])))
    says(refused["control_plane"], "node4", "bitten")
    console.delete_cluster(cluster)
    for host in (three, four):
        assert console.get(f"hosts/{host}/")["cluster"] is None
