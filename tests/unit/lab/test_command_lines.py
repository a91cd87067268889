"""What is run: nspawn's command line, the command line of the lab, and how failures are told."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pytest

from lab import base, cli, requirements, spawn
from lab.command import run
from lab.disk import check_key
from lab.errors import LabError
from lab.machine import HostStatus


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def test_nspawn_gets_everything_that_a_kubelet_needs() -> None:
    argv = spawn.command(
        Path("/l/node1/root"),
        machine="flotilla-x-node1",
        hostname="node1",
        netns=Path("/run/netns/flotilla-x-node1"),
        bindings={Path("/l/node1/kubelet"): "/var/lib/kubelet"},
        kernel=Path("/lib/modules/6.1"),
    )
    assert argv[0] == "systemd-nspawn"
    assert {
        "--boot",
        "--directory=/l/node1/root",
        "--network-namespace-path=/run/netns/flotilla-x-node1",
        "--capability=all",
        "--system-call-filter=@known",
        "--register=no",
        "--keep-unit",
        "--bind=/dev/kmsg",
        "--bind=/l/node1/kubelet:/var/lib/kubelet",
        "--bind-ro=/lib/modules/6.1",
    } <= set(argv)


def test_without_kernel_modules_none_are_bound() -> None:
    argv = spawn.command(Path("/r"), machine="m", hostname="h", netns=Path("/n"), bindings={})
    assert not [word for word in argv if word.startswith("--bind-ro")]


def test_process_ids_by_namespace() -> None:
    assert spawn.namespace_pids("Name:\tsystemd\nNSpid:\t4711\t1\nThreads:\t1\n") == [4711, 1]
    assert spawn.namespace_pids("Name:\tx\n") == []


def test_the_lab_commands_parse() -> None:
    options = parse("up", "-n", "4", "--name", "dev", "--subnet", "10.80.0.0/24")
    assert (options.lab_command, options.hosts, options.name) == ("up", 4, "dev")
    assert parse("cut", "node1").host == "node1"
    assert parse("status", "--json").json is True
    assert parse("up").name == "demo"
    assert parse("kubernetes", "--build", "v1.20.2").build == ["v1.20.2"]


def test_the_table_is_aligned() -> None:
    rows = cli.table(
        [
            HostStatus("node1", "10.0.0.11", "running", 7, 12.4, "k"),
            HostStatus("node10", "10.0.0.20", "off", None, None, "k"),
        ]
    )
    assert rows == [
        "HOST    ADDRESS    STATE    PID  UP",
        "node1   10.0.0.11  running  7    12 s",
        "node10  10.0.0.20  off      -    -",
    ]


def test_status_of_a_lab_that_was_never_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOTILLA_CACHE", str(tmp_path))
    assert cli.main(["status", "--name", "none-such"]) == 0
    assert "not up" in capsys.readouterr().out


def test_a_failure_is_told_and_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOTILLA_CACHE", str(tmp_path))
    assert cli.main(["cut", "node1", "--name", "none-such"]) == 1
    assert "To mend it: " in capsys.readouterr().err


def test_output_comes_line_by_line_and_failures_carry_its_end() -> None:
    seen: list[str] = []
    script = "print('one'); print('two'); raise SystemExit(3)"
    with pytest.raises(LabError) as error:
        run([sys.executable, "-c", script], seen.append, what="Trying", mend="nothing")
    assert seen == ["one", "two"]
    assert "code 3: one | two" in error.value.cause


def test_a_missing_program_and_a_slow_one_are_told() -> None:
    with pytest.raises(LabError, match="not on this machine"):
        run(["flotilla-no-such-program"], what="Trying", mend="nothing")
    with pytest.raises(LabError, match=r"not done after 0\.2 s"):
        run(["sleep", "10"], what="Trying", mend="nothing", timeout=0.2)


def test_the_end_of_a_command_is_the_end_of_what_it_started() -> None:
    begin = time.monotonic()
    with pytest.raises(LabError, match="not done after"):
        # The grandchild keeps the output open and takes no notice of a kind request.
        run(["sh", "-c", "(trap '' TERM; sleep 30) | cat"], what="T", mend="m", timeout=0.2)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("line", ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-rsa"])
def test_only_public_keys_are_authorised(line: str) -> None:
    with pytest.raises(LabError):
        check_key(line)


def test_the_base_trees_stamp_follows_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.stamp()
    assert before == base.stamp()
    monkeypatch.setattr(base, "SCRIPT", base.SCRIPT + "true\n")
    assert base.stamp() != before


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.shutil, "which", lambda *a, **k: None)
    lacks = {lack.what: lack for lack in requirements.missing()}
    assert lacks["systemd-nspawn"].how == "apt-get install systemd-container"
    with pytest.raises(LabError, match="systemd-nspawn is missing"):
        requirements.demand()
