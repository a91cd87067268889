"""What the lab asks of the machine itself: limits, a firewall rule, what the kernel brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroups, firewall, limits, modules


def test_low_limits_are_raised_and_high_ones_stay(tmp_path: Path) -> None:
    folder = tmp_path / "fs/inotify"
    folder.mkdir(parents=True)
    (folder / "max_user_instances").write_text("128\n")
    (folder / "max_user_watches").write_text("9999999\n")
    lines: list[str] = []
    assert limits.raise_limits(lines.append, tmp_path) == ["fs/inotify/max_user_instances"]
    assert (folder / "max_user_instances").read_text() == "8192\n"
    assert (folder / "max_user_watches").read_text() == "9999999\n"
    assert "was 128" in lines[0]
    assert limits.raise_limits(lines.append, tmp_path) == []


def test_a_machine_that_keeps_its_limits_is_told_of(tmp_path: Path) -> None:
    lines: list[str] = []
    assert limits.raise_limits(lines.append, tmp_path) == []
    assert len(lines) == 2


def fake_iptables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An iptables that keeps its rules in a file, one line each."""
    rules = tmp_path / "rules"
    rules.touch()
    program = tmp_path / "iptables"
    program.write_text(
        "#!/bin/sh\n"
        'action=$2; shift 2; line="$*"\n'
        "case $action in\n"
        f'--check) grep -qxF -- "$line" {rules} ;;\n'
        f'--insert) echo "$line" >> {rules} ;;\n'
        f'--delete) grep -vxF -- "$line" {rules} > {rules}.new; mv {rules}.new {rules} ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return rules


def test_bridged_traffic_is_admitted_once_and_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = fake_iptables(tmp_path, monkeypatch)
    filtered = tmp_path / "filtered"
    filtered.write_text("0\n")
    assert not firewall.admit("flx", filtered), "nothing is filtered, nothing to admit"
    filtered.write_text("1\n")
    assert firewall.admit("flx", filtered)
    assert not firewall.admit("flx", filtered)
    assert firewall.rules("flx") == ["iptables rule for flx"]
    assert firewall.rules("fly") == []
    assert len(rules.read_text().splitlines()) == 1
    firewall.withdraw("flx")
    assert rules.read_text() == ""


def test_a_machine_without_iptables_filters_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "filtered").write_text("1\n")
    assert not firewall.admit("flx", tmp_path / "filtered")
    firewall.withdraw("flx")


def test_built_in_modules_are_those_without_a_state_of_loading(tmp_path: Path) -> None:
    for name in (
        "sys/module/overlay",
        "sys/module/loaded",
        "sys/module/8250",
        "proc/sys/net/bridge",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sys/module/loaded/initstate").write_text("live")
    (tmp_path / "proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")
    assert modules.built_in(tmp_path / "sys/module", tmp_path) == ["br_netfilter", "overlay"]


def v1(mount: Path, *controllers: str) -> None:
    for name in controllers:
        (mount / name).mkdir(parents=True)
        (mount / name / "cgroup.procs").touch()


def test_cgroup_v1_has_a_hierarchy_for_each_controller(tmp_path: Path) -> None:
    v1(tmp_path, "cpu", "memory", "systemd")
    (tmp_path / "cpu,cpuacct").symlink_to("cpu")
    (tmp_path / "unrelated").mkdir()
    assert [h.name for h in cgroups.hierarchies(tmp_path)] == ["cpu", "memory", "systemd"]
    made = cgroups.create("flotilla-x/node1", tmp_path)
    assert [f.relative_to(tmp_path).parts[0] for f in made] == ["cpu", "memory", "systemd"]
    assert cgroups.children("flotilla-x", tmp_path) == ["node1"]


def test_cgroup_v2_has_one(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "memory").mkdir()
    assert cgroups.hierarchies(tmp_path) == [tmp_path]


def test_processes_are_those_of_the_group_and_all_below_it(tmp_path: Path) -> None:
    v1(tmp_path, "cpu", "pids")
    for name, pids in (("cpu/f/a", "1\n2\n"), ("cpu/f/a/deep", "3\n"), ("pids/f/a", "2\n4\n")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "cgroup.procs").write_text(pids)
    assert cgroups.processes("f/a", tmp_path) == {1, 2, 3, 4}
    assert cgroups.processes("f/none", tmp_path) == set()
