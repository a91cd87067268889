"""Snapshots of a standard cluster, and its restore after two of three members are lost."""

from __future__ import annotations

import hashlib
import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import Lab
from tests.e2e.conftest import SUBNET
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.faults import errors_of, failure, says
from tests.e2e.kills import EVERY, killed_between_steps
from tests.e2e.standard import Kubectl, create, members, wait_ready

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(1200)]

VIP = SUBNET.rpartition(".")[0] + ".201"
NAMES = ["node1", "node2", "node3", "node4"]


@pytest.fixture(scope="module")
def cluster(console: Console) -> Any:
    """Three control planes and a worker, for the tests of this module."""
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    ids = [hosts[name] for name in NAMES]
    made = create(console, "keeper", VIP, ids[:3], ids[3:])["cluster"]
    yield made
    console.delete_cluster(made["id"], 300)


@pytest.fixture(scope="module")
def kubectl(
    console: Console, cluster: Any, binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    return Kubectl(console, cluster["id"], binaries, tmp_path_factory.mktemp("kubectl"))


def take(console: Console, cluster: Any) -> Any:
    """A snapshot by hand; its row."""
    task = console.post(f"clusters/{cluster['id']}/snapshots/")["task"]
    console.wait(task["id"], 120)
    (row,) = [
        r
        for r in console.get(f"clusters/{cluster['id']}/snapshots/")["results"]
        if r["task"] == task["id"]
    ]
    assert row["state"] == "ready", row
    return row


def file_of(console: Console, row: Any) -> Path:
    return console.data / "snapshots" / str(row["cluster"]) / str(row["id"])


def download(console: Console, row: Any, token: str) -> bytes:
    request = urllib.request.Request(
        f"{console.url}/api/v1/snapshots/{row['id']}/download/",
        headers={"Authorization": f"Token {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert "no-store" in answer.headers["Cache-Control"]
        data: bytes = answer.read()
    return data


def test_a_snapshot_is_whole_encrypted_and_can_be_read_by_etcdctl(
    console: Console, cluster: Any, kubectl: Kubectl, lab: Lab, tmp_path: Path
) -> None:
    kubectl.run("create", "configmap", "known-text", "--from-literal=word=in-the-snapshot-for-sure")
    row = take(console, cluster)
    uid = kubectl.get("namespace", "kube-system")["metadata"]["uid"]
    assert row["cluster_uid"] == uid
    assert row["revision"] > 100 and row["total_keys"] > 100 and row["etcd_hash"]
    stored = file_of(console, row).read_bytes()
    assert len(stored) == row["stored_size"] < row["size"]
    assert b"in-the-snapshot-for-sure" not in stored and uid.encode() not in stored
    plain = download(console, row, console.token)
    assert hashlib.sha256(plain).hexdigest() == row["sha256"] and len(plain) == row["size"]
    assert b"in-the-snapshot-for-sure" in plain
    # The program that wrote it reads it, and finds the same.
    file = lab.host("node1").root / "root/taken.db"
    file.write_bytes(plain)
    said = lab.host("node1").run("ETCDCTL_API=3 etcdctl snapshot status /root/taken.db -w json")
    assert json.loads(said.splitlines()[-1])["hash"] == row["etcd_hash"]
    file.unlink()
    for name in NAMES[:3]:
        assert not lab.host(name).run("ls /var/lib/flotilla/*/snapshot 2>/dev/null || :").strip()


def test_the_schedule_is_on_and_can_be_changed(console: Console, cluster: Any) -> None:
    path = f"clusters/{cluster['id']}/snapshot-schedule/"
    assert console.get(path)["enabled"] is True
    changed = console.call("PUT", path, {"every_hours": 3, "keep_count": 5})
    assert (changed["every_hours"], changed["keep_count"], changed["keep_days"]) == (3, 5, 30)
    assert "every_hours" in errors_of(lambda: console.call("PUT", path, {"every_hours": 0}))


def version(kubectl: Kubectl) -> int:
    """The resource version of a list, which is the revision of the store."""
    listed = kubectl.run("get", "--raw", "/api/v1/namespaces/default/configmaps?limit=1")
    return int(json.loads(listed)["metadata"]["resourceVersion"])


def gone(kubectl: Kubectl) -> bool:
    try:
        kubectl.run("create", "configmap", "never", "--dry-run=server")
    except (AssertionError, subprocess.TimeoutExpired):
        return True
    return False


def test_a_cluster_that_lost_its_quorum_is_restored(
    console: Console, cluster: Any, kubectl: Kubectl, lab: Lab
) -> None:
    path = f"clusters/{cluster['id']}/restore/"
    kubectl.run("create", "configmap", "before", "--from-literal=a=b")
    damaged, good = take(console, cluster), take(console, cluster)
    kubectl.run("create", "configmap", "after", "--from-literal=a=b")
    last = version(kubectl)

    # One machine is gone for good, another has lost its disk: no quorum.
    lab.host("node3").power_cut()
    lab.host("node2").run("systemctl stop etcd; rm -rf /var/lib/etcd/member")
    wait_for(lambda: gone(kubectl), 60, "the API takes no writes any more")

    assert "snapshot" in errors_of(lambda: console.post(path, {"snapshot": 987654}))
    plan = json.dumps(console.post(f"{path}?dry_run=true", {"snapshot": good["id"]}))
    says(plan, "etcdctl snapshot restore", "/var/lib/etcd/before-restore")

    # A damaged snapshot is refused before anything is touched.
    file = file_of(console, damaged)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    # The scheduler ends by itself without a quorum: it cannot keep its lease.
    before = lab.host("node1").run("systemctl show -P InvocationID etcd")
    task = console.post(path, {"snapshot": damaged["id"]})["task"]
    says(failure(console.wait(task["id"], 120, "failed")), "damaged")
    assert lab.host("node1").run("systemctl show -P InvocationID etcd") == before
    assert console.get(f"snapshots/{damaged['id']}/")["state"] == "damaged"
    with pytest.raises(ApiError):
        console.get(f"snapshots/{damaged['id']}/download/")

    task = console.post(path, {"snapshot": good["id"]})["task"]
    console.wait(task["id"], 400)
    wait_ready(kubectl, {"node1", "node2", "node4"}, 90)
    names = {c["metadata"]["name"] for c in kubectl.get("configmaps")["items"]}
    assert "before" in names and "after" not in names
    listed = members(lab.host("node1"))
    assert len(listed) == 2 and all(", started, " in line for line in listed), listed
    assert all(line.endswith("false") for line in listed)

    # Nobody sees time run backwards: what is listed is newer, and an old watch has to list anew.
    assert version(kubectl) > last + 10**8
    watch = f"/api/v1/namespaces/default/configmaps?watch=1&resourceVersion={last}&timeoutSeconds=3"
    done = subprocess.run(
        [*kubectl.base, "get", "--raw", watch], capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    says(done.stdout + done.stderr, "too old resource version")
    kubectl.run("create", "configmap", "written-after-the-restore", "--from-literal=a=b")
    says(console.get(f"hosts/{cluster_host(console, 'node3')}/"), "replace or remove it")
    assert lab.host("node1").run("ls /var/lib/etcd/before-restore").split() == ["member", "restore"]
    take(console, cluster)


@pytest.mark.slow
def test_a_restore_goes_on_wherever_its_worker_was_killed(
    console: Console, cluster: Any, kubectl: Kubectl, lab: Lab
) -> None:
    """The same snapshot once more, with the worker killed between steps."""
    last = version(kubectl)
    rows = console.get(f"clusters/{cluster['id']}/snapshots/")["results"]
    row = next(r for r in reversed(rows) if r["state"] == "ready")
    number = console.post(f"clusters/{cluster['id']}/restore/", {"snapshot": row["id"]})["task"][
        "id"
    ]
    kills = killed_between_steps(console, number)
    assert kills >= 10 // EVERY
    wait_ready(kubectl, {"node1", "node2", "node4"}, 90)
    assert version(kubectl) > last + 10**8
    listed = members(lab.host("node1"))
    assert len(listed) == 2 and all(", started, " in line for line in listed), listed


def cluster_host(console: Console, name: str) -> int:
    (host,) = [h for h in console.get("hosts/")["results"] if h["name"] == name]
    return int(host["id"])
