"""What hosts are asked to do for snapshots and restores, run by a real shell with a fake etcd."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.facts import Facts
from provisioning.plan import plan
from provisioning.recipes.restore import RESTORE
from provisioning.recipes.snapshot import SNAPSHOT
from provisioning.steps.base import Context
from provisioning.steps.compile import CompiledScript, Payload, compile_script
from provisioning.steps.etcd_restore import (
    FIRST,
    EtcdRestored,
    OldDataAside,
    RestoredBalancer,
    RestoreProven,
    StopControlPlane,
    forget_authority,
    restored_data,
)
from provisioning.steps.etcd_snapshot import snapshot_script
from provisioning.steps.resources import Command, Resource, Unit
from tests.unit.provisioning.conftest import CLUSTER, NONCE, LocalHost, Run, make_spec

UID = "0d8f7a52-6a0e-4c57-9d20-1f5b8c8d3e11"
FAKE_ETCDCTL = r"""
for word; do case $word in -*) ;; *) words="${words-}$word " ;; esac; done
case $words in
  "endpoint health "*) [ -z "${SICK-}" ] || { echo "unhealthy: no leader" >&2; exit 1; } ;;
  "compact "*) echo compacted >>"$ROOT/compacted" ;;
  "snapshot save "*) for w in $words; do f=$w; done; head -c 300000 /dev/zero | tr '\0' x >"$f" ;;
  "snapshot status "*) echo '{"hash":7,"revision":90,"totalKey":12,"totalSize":300000}' ;;
  "endpoint status "*) echo '[{"Status":{"header":{"revision":95},"version":"3.4.23"}}]' ;;
  "get "*) printf 'k8s\0binary UID\n' ;;
  "snapshot restore "*) for word; do case $word in --data-dir=*) d=${word#*=} ;; esac; done
    mkdir -p "$d/member/snap"; for w in $words; do f=$w; done; cp "$f" "$d/member/snap/db" ;;
esac
"""


def spec(**changes: object):
    return make_spec(request={"snapshot": 3, "run": "one"}, **changes)


@pytest.fixture
def etcd(tmp_path: Path) -> Path:
    """A folder that stands for the machine: /var/lib and the programs."""
    for folder in ("var/lib/etcd", "var/lib/flotilla", "opt", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    program = tmp_path / "opt/etcdctl"
    text = FAKE_ETCDCTL.replace("binary UID", f"binary {UID}").replace("$ROOT", str(tmp_path))
    program.write_text(f"#!/bin/sh\n{text}")
    program.chmod(0o755)
    return tmp_path


def here(text: str, root: Path) -> str:
    """A script for a host, on this machine's folder instead."""
    text = text.replace("/opt/kubernetes/current/etcdctl", f"{root}/opt/etcdctl")
    text = text.replace("/usr/bin/etcdctl", f"{root}/opt/etcdctl")
    text = text.replace("/etc/kubernetes", f"{root}/etc")
    return text.replace("/var/lib/", f"{root}/var/lib/")


# --- taking


def taken(root: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    (root / "var/lib/etcd/member/snap").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/etcd/member/snap/db").write_bytes(b"x" * 1000)
    script = f"( {here(snapshot_script(spec()), root)} )"
    return subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, check=False, timeout=30,
        env={**os.environ, **environment},
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    lines = [x[1:] for x in done.stderr.decode().splitlines() if x.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)


def test_a_snapshot_comes_packed_with_all_that_is_known_of_it(etcd: Path) -> None:
    done = taken(etcd)
    assert done.returncode == 0, done.stderr
    plain = gzip.decompress(done.stdout)
    words = told(done)
    assert words["sha256"] == hashlib.sha256(plain).hexdigest()
    assert words["size"] == str(len(plain)) == "300000"
    assert words["uid"] == UID and '"revision":95' in words["endpoint"]
    assert '"hash":7' in words["status"]
    assert (etcd / "compacted").exists()


def test_nothing_stays_on_the_host_and_old_remains_go(etcd: Path) -> None:
    left = etcd / f"var/lib/flotilla/{CLUSTER}/snapshot/etcd.db"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a run that a power cut ended")
    assert taken(etcd).returncode == 0
    assert not left.parent.exists()
    assert taken(etcd, SICK="1").returncode == 1
    assert not left.parent.exists()


def test_an_ill_member_gives_none_and_says_why(etcd: Path) -> None:
    done = taken(etcd, SICK="1")
    assert (done.returncode, done.stdout) == (1, b"")
    assert told(done)["failed"].startswith("etcd_unhealthy") and "no leader" in told(done)["failed"]


def test_a_disk_without_room_is_named_before_anything_is_written(etcd: Path) -> None:
    df = etcd / "opt/df"
    df.write_text("#!/bin/sh\nprintf 'head\\nfs 1 1 4096 1%% /\\n'\n")
    df.chmod(0o755)
    (etcd / "var/lib/etcd/member/snap").mkdir(parents=True)
    (etcd / "var/lib/etcd/member/snap/db").write_bytes(b"x")
    text = here(snapshot_script(spec()), etcd).replace("PATH=/usr", f"PATH={etcd}/opt:/usr")
    done = subprocess.run(["/bin/sh", "-c", f"( {text} )"], capture_output=True, check=False)
    assert done.returncode == 1
    assert told(done)["failed"].startswith("disk_full") and "4 are free" in told(done)["failed"]


# --- restoring


def make(host: LocalHost, root: Path, *resources: Resource) -> Run:
    """Run resources as the engine does; a payload is asked for like the packed files of releases"""
    compiled = compile_script(resources, NONCE, CLUSTER)
    text = here(compiled.text, root).replace("root:root", host.owner)
    return host.run(replace(compiled, text=text))


def aside(run: str) -> list[Resource]:
    ctx = Context(make_spec(request={"run": run}), make_spec().control_plane[0], {}, {})
    return list(OldDataAside().resources(ctx))


def member(root: Path, content: str) -> None:
    (root / "var/lib/etcd/member").mkdir(parents=True)
    (root / "var/lib/etcd/member/data").write_text(content)


def kept(root: Path) -> str:
    return (root / "var/lib/etcd/before-restore/member/data").read_text()


def test_the_old_data_is_kept_and_a_second_run_leaves_it_alone(host: LocalHost, etcd: Path) -> None:
    member(etcd, "precious")
    (etcd / "etc/etcd-initial.env").write_text("ETCD_INITIAL_CLUSTER_STATE=new")
    assert make(host, etcd, *aside("one")).status == 0
    assert kept(etcd) == "precious"
    assert not (etcd / "var/lib/etcd/member").exists()
    # With it a member without data would found a new, empty cluster.
    assert not (etcd / "etc/etcd-initial.env").exists()
    member(etcd, "restored")
    assert make(host, etcd, *aside("one")).changed == 0
    assert kept(etcd) == "precious"


def test_a_kill_between_the_rename_and_its_mark_loses_nothing(host: LocalHost, etcd: Path) -> None:
    member(etcd, "precious")
    make(host, etcd, *aside("one"))
    (host.state / f"{CLUSTER}/marks").unlink()
    assert make(host, etcd, *aside("one")).status == 0
    assert kept(etcd) == "precious"


def test_a_restore_after_a_canceled_one_keeps_what_that_one_kept(
    host: LocalHost, etcd: Path
) -> None:
    member(etcd, "precious")
    make(host, etcd, *aside("one"))
    make(host, etcd, *aside("two"))
    assert kept(etcd) == "precious"
    member(etcd, "newer")
    make(host, etcd, *aside("three"))
    assert kept(etcd) == "newer"


def send(host: LocalHost, root: Path, content: bytes, *, sha256: str = "", run: str = "one") -> Run:
    ctx = Context(spec(), spec().control_plane[0], {}, {})
    ctx = replace(ctx, spec=replace(ctx.spec, request={"run": run}))
    digest = sha256 or hashlib.sha256(content).hexdigest()
    compiled: CompiledScript = compile_script(
        [restored_data(ctx, len(content), digest)], NONCE, CLUSTER
    )
    file = root / "sent"
    file.write_bytes(content)
    text = here(compiled.text, root)
    return host.run(replace(compiled, text=text, payloads={0: Payload(file, len(content))}))


def test_the_snapshot_becomes_the_members_data_once(host: LocalHost, etcd: Path) -> None:
    run = send(host, etcd, b"database" * 50_000)
    assert run.changed == 1, run.log
    data = etcd / "var/lib/etcd/member/snap/db"
    assert data.read_bytes() == b"database" * 50_000
    assert not (etcd / "var/lib/etcd/restoring").exists()
    data.write_bytes(b"the cluster has gone on")
    assert send(host, etcd, b"database" * 50_000).changed == 0
    assert data.read_bytes() == b"the cluster has gone on"
    # The same snapshot once more, in another restore, is restored again.
    assert send(host, etcd, b"database" * 50_000, run="two").changed == 1
    assert data.read_bytes() == b"database" * 50_000


def test_what_arrives_damaged_is_not_restored(host: LocalHost, etcd: Path) -> None:
    run = send(host, etcd, b"database" * 50_000, sha256="0" * 64)
    assert run.failure["hint_code"] == "checksum"
    assert list((etcd / "var/lib/etcd").iterdir()) == []


def three():
    base = make_spec(workers=3)
    hosts = base.hosts
    return replace(
        base, profile="standard", control_plane=hosts[:3], workers=hosts[3:], vip="10.80.0.200",
        endpoint="https://10.80.0.200:8443", router_id=7, request={"snapshot": 3, "run": "one"},
    )  # fmt: skip


def resources_of(step, index: int, first: int = 0, away: frozenset[int] = frozenset()):
    cluster = three()
    members = cluster.control_plane
    ctx = Context(cluster, members[index], {}, {FIRST: str(members[first].id)}, away)
    return step.resources(ctx)


def texts(resources) -> str:
    return "\n".join(getattr(r, "run", "") + str(getattr(r, "content", "")) for r in resources)


def test_the_first_member_stands_alone_and_the_others_join_it() -> None:
    assert "member add" not in texts(resources_of(EtcdRestored(), 0))
    joining = texts(resources_of(EtcdRestored(), 1))
    assert "member add node2 --learner" in joining and "member promote" in joining
    # Whoever was restored first, not whoever stands first.
    assert "member add" not in texts(resources_of(EtcdRestored(), 1, first=1))


def test_nobody_is_told_to_use_a_member_that_was_left_out() -> None:
    gone = frozenset({three().control_plane[2].id})
    for step in (EtcdRestored(), RestoredBalancer()):
        found = texts(resources_of(step, 1, away=gone))
        assert "10.80.0.11" in found and "10.80.0.13" not in found


def test_a_power_cut_in_the_middle_starts_nothing_by_itself() -> None:
    units = [r for r in resources_of(StopControlPlane(), 0) if isinstance(r, Unit)]
    assert {u.name for u in units} >= {"etcd.service", "kube-apiserver.service"}
    assert all(u.enabled is False and u.started is False for u in units)


def test_the_proof_counts_only_ready_nodes_that_were_not_left_out(
    host: LocalHost, etcd: Path
) -> None:
    cluster = three()
    ctx = Context(cluster, cluster.control_plane[0], {}, {}, frozenset({cluster.hosts[2].id}))
    wait = RestoreProven().resources(ctx)[1]
    program = host.root / "kubectl"

    def ready(said: str) -> bool:
        program.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
        program.chmod(0o755)
        text = wait.condition.replace("/opt/kubernetes/current/kubectl", str(program))
        return subprocess.run(["/bin/sh", "-c", text], check=False).returncode == 0

    assert ready("node1=True node2=True node4=True ")
    assert ready("node1=True node2=True node3=False node4=True other=True ")
    assert not ready("node1=True node2=False node4=True other=True ")
    assert not ready("")


def test_the_authority_is_forgotten_once_for_each_restore() -> None:
    material = {
        "ca/etcd.crt": "a", "ca/etcd.key": "b", "ca/kubernetes.crt": "c",
        "hosts/1/etcd-peer.crt": "d", "hosts/1/apiserver-etcd-client.key": "e",
        "hosts/1/apiserver.crt": "f",
    }  # fmt: skip
    assert forget_authority(material, "one")
    assert set(material) == {"ca/kubernetes.crt", "hosts/1/apiserver.crt", "restore/authority"}
    material["ca/etcd.crt"] = "new"
    assert not forget_authority(material, "one")
    assert material["ca/etcd.crt"] == "new"


@pytest.mark.parametrize("cluster", [spec(), three()], ids=["lightweight", "standard"])
def test_the_plans_can_be_made(cluster) -> None:
    facts = {host.id: Facts() for host in cluster.hosts}
    taking = plan(SNAPSHOT, cluster, facts, {})
    assert [p.id for p in taking.phases] == ["snapshot"]
    restoring = plan(RESTORE, cluster, facts, {})
    ids = [p.id for p in restoring.phases]
    assert ids.index("snapshot") < ids.index("stop") < ids.index("aside") < ids.index("restore")


def test_every_command_of_the_restore_says_what_it_does() -> None:
    for step in (OldDataAside(), RestoreProven()):
        for resource in resources_of(step, 0):
            assert resource.title
            assert not isinstance(resource, Command) or resource.version == "one"
