"""Real hosts: up, down, power cuts and partitions, on a subnet that only these tests use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from lab import Host, Lab, LabError, base, cgroups, faults, images, network, requirements, spawn
from lab.base import OPS_PASSWORD
from lab.lab import lab_names
from lab.leftovers import Leftovers

LACKS = requirements.missing()
WHY_NOT = "the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in LACKS)
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKS), reason=WHY_NOT),
    # The base tree may have to be built first.
    pytest.mark.timeout(600),
]

NAME, SUBNET = "test-lab", "10.79.0.0/25"
OTHER, OTHER_SUBNET = "test-lab-other", "10.79.0.128/25"


@pytest.fixture
def make() -> Iterator[Callable[..., Lab]]:
    """Make labs that are gone after the test, whatever it did to them."""
    made: list[Lab] = []

    def _make(name: str = NAME, subnet: str = SUBNET, hosts: int = 2) -> Lab:
        Lab(name, subnet).down()
        lab = Lab(name, subnet, hosts)
        made.append(lab)
        return lab

    yield _make
    for lab in made:
        lab.down()


def ssh(lab: Lab, host: Host, command: str, user: str = "root") -> str:
    """Run a command over SSH, trusting exactly the host key that the lab names."""
    known = lab.folder / "known_hosts"
    known.write_text("".join(f"{h.address} {h.ssh_host_key}\n" for h in lab.hosts))
    options = ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=3"]
    options += ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"]
    argv = ["ssh", "-q", *options, "-i", str(lab.key_path), f"{user}@{host.address}", command]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout.strip()


def states(lab: Lab) -> list[str]:
    return [host.state for host in lab.status()]


def everything(lab: Lab) -> list[str]:
    """What of a lab is on the machine, by the same search that `down` proves itself with."""
    with Leftovers.before(lab.plan, lab.folder) as watch:
        return watch.found()


def test_up_twice_and_down_twice(make: Callable[..., Lab]) -> None:
    lab = make()
    lines: list[str] = []
    hosts = lab.up(lines.append)
    assert [(h.name, h.address) for h in hosts] == [
        ("node1", "10.79.0.11"),
        ("node2", "10.79.0.12"),
    ]
    assert states(lab) == ["running", "running"]
    assert any("node1: up at 10.79.0.11" in line for line in lines)
    pids = [h.pid for h in hosts]
    hosts[0].run("echo kept > /root/file")

    assert [h.pid for h in lab.up()] == pids
    assert ssh(lab, hosts[0], "cat /root/file") == "kept"

    grown = Lab(NAME, hosts=3)
    assert len(grown.up()) == 3
    assert [h.pid for h in grown.hosts[:2]] == pids
    assert len(Lab(NAME, hosts=1).up()) == 3, "up takes no host away"

    lab.down(lines.append)
    assert lines[-1].startswith(f"Lab {NAME}: down; no process")
    assert everything(lab) == []
    assert NAME not in lab_names()
    lab.down()


def test_each_host_is_itself(make: Callable[..., Lab]) -> None:
    lab = make()
    one, two = lab.up()
    script = "hostname; cat /etc/machine-id; cat /proc/sys/kernel/random/boot_id >/dev/null"
    first, second = (ssh(lab, host, script).split() for host in (one, two))
    assert (first[0], second[0]) == ("node1", "node2")
    assert first[1] != second[1]
    assert all(re.fullmatch("[0-9a-f]{32}", identity) for identity in (first[1], second[1]))
    assert one.ssh_host_key.startswith("ssh-ed25519 ")
    assert one.ssh_host_key != two.ssh_host_key
    assert ssh(lab, one, "systemctl is-system-running --wait") == "running"
    assert ssh(lab, one, "ping -c 1 -W 2 10.79.0.12 >/dev/null && echo heard") == "heard"
    services = "systemctl is-active containerd haproxy keepalived etcd || true"
    assert set(ssh(lab, one, services).split()) == {"inactive"}


def test_users_and_what_they_may(make: Callable[..., Lab]) -> None:
    lab = make(hosts=1)
    (host,) = lab.up()
    assert ssh(lab, host, "sudo -n id -un", user="admin") == "root"
    assert ssh(lab, host, "sudo -n true 2>/dev/null || echo refused", user="ops") == "refused"
    with_password = f"echo {OPS_PASSWORD} | sudo -S -p '' id -un"
    assert ssh(lab, host, with_password, user="ops") == "root"
    refused = f"echo {OPS_PASSWORD} | sudo -S -p '' true 2>/dev/null || echo refused"
    assert ssh(lab, host, refused, user="nosudo") == "refused"
    offered = "sshd -T -C user={},host=x,addr=10.79.0.1 | grep ^passwordauthentication"
    assert host.run(offered.format("ops")).endswith(" yes")
    assert host.run(offered.format("root")).endswith(" no")


def test_another_key_is_let_in(make: Callable[..., Lab], tmp_path: Path) -> None:
    lab = make(hosts=1)
    lab.up()
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = Path(f"{key}.pub").read_text()
    (host,) = Lab(NAME, authorized_keys=[public], hosts=1).up()
    assert public.strip() in host.run("cat /home/admin/.ssh/authorized_keys")
    assert ssh(lab, host, "id -un", user="admin") == "admin", "the lab's own key still works"


def test_power_cut_and_back(make: Callable[..., Lab]) -> None:
    lab = make()
    one, two = lab.up()
    key = one.ssh_host_key
    one.run("echo kept > /root/file; touch /run/gone; ip address add 10.79.0.100/25 dev eth0")
    one.power_cut()
    assert states(lab) == ["off", "running"]
    assert not cgroups.processes(one.group)
    with pytest.raises(LabError, match="it is off"):
        one.run("true")
    one.power_cut()

    assert one.boot() < 10
    assert one.boot() == 0.0, "a host that runs is left alone"
    assert ssh(lab, one, "cat /root/file; ls /run/gone 2>/dev/null || echo none") == "kept\nnone"
    assert "10.79.0.100" not in one.run("ip address")
    assert one.ssh_host_key == key
    assert states(lab) == ["running", "running"]
    assert two.pid is not None


def test_poweroff_is_in_order(make: Callable[..., Lab]) -> None:
    lab = make(hosts=1)
    (host,) = lab.up()
    host.poweroff()
    assert states(lab) == ["off"]
    assert "Reached target" in host.console.read_text(errors="replace")
    lab.up()
    assert states(lab) == ["running"]


def test_partition_and_heal(make: Callable[..., Lab]) -> None:
    lab = make()
    one, two = lab.up()
    heard = f"ping -c 1 -W 1 {one.address} >/dev/null && echo heard || echo silence"
    assert two.run(heard) == "heard"
    one.partition()
    assert two.run(heard) == "silence"
    assert states(lab) == ["partitioned", "running"]
    assert one.run("echo alive") == "alive"
    one.power_cut()
    one.boot()
    assert two.run(heard) == "silence", "nobody plugged the cable in"
    one.heal()
    assert ssh(lab, one, "echo back") == "back"
    assert states(lab) == ["running", "running"]


def test_a_host_without_its_nspawn_is_found_and_taken_down(make: Callable[..., Lab]) -> None:
    lab = make(hosts=1)
    (host,) = lab.up()
    ours = f"--machine={host.netns.name}"
    found = subprocess.run(["pgrep", "-f", "--", ours], capture_output=True, text=True, check=True)
    for pid in found.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    before = host.pid
    assert before is not None
    lab.up()
    assert host.pid == before
    lab.down()
    stat = Path(f"/proc/{before}/stat")
    assert not stat.exists() or " Z " in stat.read_text(), "it is dead, buried or not"
    assert everything(lab) == []


def test_up_mends_what_a_reboot_of_the_machine_leaves(make: Callable[..., Lab]) -> None:
    lab = make()
    one, _ = lab.up()
    one.run("echo kept > /root/file")
    for host in lab.hosts:  # all that outlives a reboot is the disk
        spawn.kill(host.group, host.netns)
        host.disk.unmount()
        network.disconnect(lab.plan, host.name, host.number)
        cgroups.remove(host.group)
    network.remove_bridge(lab.plan)
    assert states(lab) == ["off", "off"]
    lab.up()
    assert ssh(lab, one, "cat /root/file") == "kept"


def test_down_says_what_it_cannot_remove(make: Callable[..., Lab]) -> None:
    lab = make(hosts=1)
    lab.up()
    # A process of ours that sits in one of the host's namespaces and that `down` does not kill.
    argv = ["nsenter", f"--target={lab.hosts[0].pid}", "--uts", "sh", "-c"]
    holder = subprocess.Popen(
        [*argv, "echo ready; exec sleep 60"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(LabError, match=rf"process {holder.pid} \(sleep 60\)"):
            lab.down()
    finally:
        holder.kill()
        holder.wait()
    lab.down()


def test_two_labs_side_by_side(make: Callable[..., Lab]) -> None:
    one, two = make(), make(OTHER, OTHER_SUBNET)
    threads = [Thread(target=lab.up) for lab in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(one) == states(two) == ["running", "running"]
    assert [h.address for h in two.hosts] == ["10.79.0.139", "10.79.0.140"]
    assert ssh(two, two.hosts[0], "hostname") == "node1"
    pids = [h.pid for h in two.hosts]
    one.down()
    assert everything(one) == []
    assert [h.pid for h in two.hosts] == pids
    assert ssh(two, two.hosts[1], "ping -c1 -W2 10.79.0.139 >/dev/null && echo heard") == "heard"


def test_two_at_once_bring_up_one_lab(make: Callable[..., Lab]) -> None:
    lab = make()
    errors: list[BaseException] = []

    def up() -> None:
        try:
            Lab(NAME, SUBNET, 2).up()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert states(lab) == ["running", "running"]


def test_a_lab_in_a_used_subnet_is_refused(make: Callable[..., Lab]) -> None:
    make(hosts=1).up()
    with pytest.raises(LabError, match="overlaps"):
        Lab("test-lab-third", "10.79.0.0/24", 1).up()
    Lab("test-lab-third", "10.79.0.0/24").down()
    with pytest.raises(LabError, match="already made"):
        Lab(NAME, "10.79.0.64/26", 1).up()


def test_containers_run_in_a_host(make: Callable[..., Lab], tmp_path: Path) -> None:
    lab = make(hosts=1)
    (host,) = lab.up()
    tars = images.build(base.ensure(), tmp_path)
    for path in tars.values():
        (host.root / "root" / path.name).write_bytes(path.read_bytes())
    host.run("systemctl start containerd")
    for path in tars.values():
        host.run(f"ctr -n k8s.io images import /root/{path.name}")
    inside = "read name < /proc/1/comm; echo from $name"
    said = host.run(f"ctr -n k8s.io run --rm {images.BUSYBOX_REF} one sh -c '{inside}'")
    assert said.split() == ["from", "sh"]
    host.run(f"ctr -n k8s.io run -d {images.PAUSE_REF} pause")
    assert "RUNNING" in host.run("ctr -n k8s.io tasks ls")
    assert "upperdir=" in host.run("grep ' overlay ' /proc/mounts | grep k8s.io")
    # Kubelets and kube-proxy need these.
    host.run("for group in /sys/fs/cgroup/*/; do mkdir $group/kubepods || exit 1; done")
    host.run("sysctl -w net.ipv4.ip_forward=1 && modprobe overlay && test -c /dev/kmsg")
    host.power_cut()
    assert not cgroups.processes(host.group), "the containers died with their host"


def test_faults(make: Callable[..., Lab]) -> None:
    lab = make(hosts=1)
    (host,) = lab.up()
    faults.fake_clock(host, 90)
    true, told = (int(n) for n in ssh(lab, host, "date.real +%s; date +%s").split())
    assert 89 <= told - true <= 91
    assert ssh(lab, host, "date -u -d @0 +%Y; date --date=@0 -u +%Y") == "1970\n1970"
    faults.fake_clock(host, 0)
    assert ssh(lab, host, "date +%s; ls /usr/bin/date.real 2>/dev/null || echo gone").endswith(
        "gone"
    )

    free = "df --output=avail -B1 /opt | tail -1"
    before = int(host.run(free))
    faults.limit_disk(host, "/opt", 1 << 20)
    assert int(host.run(free)) == 1 << 20
    faults.fill_disk(host, "/opt")
    assert int(host.run(free)) == 0
    faults.free_disk(host, "/opt")
    assert int(host.run(free)) > before / 2
    with pytest.raises(LabError):
        faults.fill_disk(host, "/opt")
    with pytest.raises(LabError):
        faults.limit_disk(host, "/opt; reboot", 1)
