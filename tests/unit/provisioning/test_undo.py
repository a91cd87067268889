"""Undo: the host is as before, twice is once, interrupted goes on, other clusters are safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.steps.resources import Directory, File, Resource
from provisioning.steps.undo import record_line, undo_script
from tests.unit.provisioning.conftest import CLUSTER, NONCE, LocalHost

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="undo looks at the host's firewall: root")


@pytest.fixture(autouse=True)
def _quiet_system(host: LocalHost) -> None:
    """No part of this machine is looked at or changed by the parts of undo that clean a system."""
    for name in ("systemctl", "ip", "iptables-save", "ip6tables-save", "nft", "modprobe"):
        host.program(name, "exit 0")
    for name in ("iptables-legacy-save", "ip6tables-legacy-save", "umount", "ctr"):
        host.program(name, "exit 0")


def tree(root: Path) -> dict[str, tuple[int, str]]:
    return {
        str(p.relative_to(root)): (p.lstat().st_mode, p.read_text() if p.is_file() else "")
        for p in sorted(root.rglob("*"))
    }


def cluster(host: LocalHost) -> list[Resource]:
    at = host.path("host")
    return [
        File(f"{at}/etc/app/config.toml", "ours\n", 0o600, host.owner),
        File(f"{at}/etc/new/deep/x.conf", "ours\n", 0o644, host.owner),
        Directory(f"{at}/var/data", 0o700, host.owner, owns=True),
        Directory(f"{at}/var/mount", None, host.owner, owns=True),
    ]


def before(host: LocalHost) -> Path:
    at = host.path("host")
    (at / "etc/app").mkdir(parents=True)
    (at / "etc/app/config.toml").write_text("theirs\n")
    (at / "etc/app/config.toml").chmod(0o604)
    (at / "var/mount").mkdir(parents=True)
    return at


def live(at: Path) -> None:
    """What programs leave while the cluster runs."""
    (at / "var/data/member/wal").mkdir(parents=True)
    (at / "var/data/member/wal/0.wal").write_text("x")
    (at / "var/mount/pods").mkdir()


def test_the_host_is_as_it_was(host: LocalHost) -> None:
    at = before(host)
    was = tree(at)
    run = host.make(*cluster(host))
    live(at)
    done = host.undo(run.priors)
    assert done.status == 0, done.log
    assert tree(at) == was
    assert not (host.state / str(CLUSTER)).exists()


def test_twice_is_once(host: LocalHost) -> None:
    at = before(host)
    was = tree(at)
    priors = host.make(*cluster(host)).priors
    host.undo(priors)
    again = host.undo(priors)
    assert again.status == 0
    assert tree(at) == was


def test_the_hosts_own_log_is_enough_when_the_worker_lost_every_event(host: LocalHost) -> None:
    at = before(host)
    was = tree(at)
    host.make(*cluster(host))
    assert host.undo([]).status == 0
    assert tree(at) == was


def test_a_run_killed_at_any_event_can_be_undone(host: LocalHost) -> None:
    at = before(host)
    was = tree(at)
    total = len(host.make(*cluster(host)).events)
    host.undo([])
    for stop in range(total):
        count = iter(range(total + 1))
        run = host.make(*cluster(host), stop_at=lambda _e: next(count) == stop)  # noqa: B023
        assert host.undo(run.priors).status == 0
        assert tree(at) == was, f"killed at event {stop}"


def test_a_run_killed_at_any_event_and_repeated_equals_an_undisturbed_one(host: LocalHost) -> None:
    at = before(host)
    total = len(host.make(*cluster(host)).events)
    undisturbed = tree(at)
    host.undo([])
    for stop in range(0, total, 2):
        count = iter(range(total + 1))
        host.make(*cluster(host), stop_at=lambda _e: next(count) == stop)  # noqa: B023
        assert host.make(*cluster(host)).status == 0
        assert tree(at) == undisturbed
        host.undo([])


def test_an_interrupted_undo_goes_on(host: LocalHost) -> None:
    at = before(host)
    was = tree(at)
    priors = host.make(*cluster(host)).priors
    live(at)
    script = undo_script(priors, NONCE, CLUSTER)
    host.run(script, stop_at=lambda e: e.data.get("state") == "undone")
    assert host.run(script).status == 0
    assert tree(at) == was


def test_old_records_do_not_touch_a_host_that_another_cluster_has_taken(host: LocalHost) -> None:
    at = before(host)
    priors = host.make(*cluster(host)).priors
    host.undo(priors)
    (host.state / "8" / "backup").mkdir(parents=True)
    (at / "etc/app/config.toml").write_text("of the new cluster\n")
    assert host.undo(priors).status == 0
    assert (at / "etc/app/config.toml").read_text() == "of the new cluster\n"


def test_what_others_put_into_a_folder_of_ours_stays(host: LocalHost) -> None:
    at = before(host)
    priors = host.make(*cluster(host)).priors
    (at / "etc/new/theirs").write_text("x")
    host.undo(priors)
    assert (at / "etc/new/theirs").read_text() == "x"
    assert not (at / "etc/new/deep").exists()


def test_a_lost_backup_is_named(host: LocalHost) -> None:
    before(host)
    priors = host.make(*cluster(host)).priors
    for backup in (host.state / str(CLUSTER) / "backup").iterdir():
        backup.unlink()
    run = host.undo(priors)
    assert run.status == 1
    assert run.failure["hint_code"] == "left_behind"
    assert "config.toml" in str(run.failure["found"])


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"key": "file:/x", "kind": "file", "args": "x"},
        {"key": "file:/x", "kind": "shell", "args": ["/x"]},
        {"key": "file:/x", "kind": "file", "args": ["/x; rm -rf /", "absent"]},
        {"key": "a b", "kind": "file", "args": ["/x", "absent"]},
    ],
)
def test_records_that_are_none_never_reach_a_shell(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no record"):
        record_line(record)


def mounted(host: LocalHost, *points: str) -> Path:
    mounts = host.root / "machine/proc/self/mounts"
    mounts.parent.mkdir(parents=True, exist_ok=True)
    mounts.write_text("".join(f"overlay {point} overlay rw 0 0\n" for point in points))
    return mounts


ROOTFS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/rootfs"


def test_a_mount_that_somebody_else_takes_away_meanwhile_is_not_left_behind(
    host: LocalHost,
) -> None:
    before(host)
    priors = host.make(*cluster(host)).priors
    mounts = mounted(host, ROOTFS)
    # containerd's own clean-up is quicker: umount finds nothing to unmount.
    host.program("umount", f": >{mounts}; exit 32")
    assert host.undo(priors).status == 0


def test_a_mount_that_stays_is_named(host: LocalHost) -> None:
    before(host)
    priors = host.make(*cluster(host)).priors
    mounted(host, ROOTFS)
    host.program("umount", "exit 32")
    done = host.undo(priors)
    assert done.status == 1
    assert ROOTFS in done.log


def test_the_vip_of_a_keepalived_that_was_killed_goes_too(host: LocalHost) -> None:
    machine = host.root / "machine"
    (machine / "etc/keepalived").mkdir(parents=True)
    (machine / "run/flotilla-vip").mkdir(parents=True)
    config = machine / "etc/keepalived/keepalived.conf"
    host.program(
        "ip",
        f"""
echo "$*" >>{host.root}/ip
case "$*" in
"-o -4 address show dev ens18 to 10.80.0.100") [ -e {host.root}/gone ] || echo 3: ens18 ;;
"address del 10.80.0.100/22 dev ens18") touch {host.root}/gone ;;
esac""",
    )
    run = host.make(File(str(host.path("host/x")), "ours\n", 0o644, host.owner))
    # Another cluster's, or an admin's: stays.
    config.write_text("# Written by Flotilla\n# cluster 8, VIP 10.80.0.100/22 on ens18\n")
    host.undo(run.priors)
    assert not host.path("gone").exists()
    run = host.make(File(str(host.path("host/x")), "ours\n", 0o644, host.owner))
    config.write_text("# Written by Flotilla\n# cluster 7, VIP 10.80.0.100/22 on ens18\n")
    host.undo(run.priors)
    assert host.path("gone").exists()
    assert not (machine / "run/flotilla-vip").exists()
