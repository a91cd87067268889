"""Commands, waits and probes."""

from __future__ import annotations

import time

from provisioning.steps.resources import Command, File, Probe, Wait
from tests.unit.provisioning.conftest import LocalHost


def test_a_command_runs_once_and_again_when_it_changes(host: LocalHost) -> None:
    log = host.path("ran")
    for text, runs in (("one", 1), ("one", 1), ("two", 2)):
        host.make(Command("c", "Count", f"echo {text} >> {log}"))
        assert len(log.read_text().splitlines()) == runs


def test_a_guard_that_is_already_true_means_nothing_to_do(host: LocalHost) -> None:
    host.path("there").touch()
    command = Command(
        "c", "Never", f"touch {host.path('ran')}", unless=f"[ -e {host.path('there')} ]", once=False
    )
    assert host.make(command).states(command.key) == ["ok"]
    assert not host.path("ran").exists()


def test_a_command_without_effect_is_a_failure(host: LocalHost) -> None:
    run = host.make(Command("c", "Nothing", "true", unless="false", once=False))
    assert run.failure["hint_code"] == "not_effective"


def test_a_failing_command_tells_status_and_last_lines(host: LocalHost) -> None:
    command = Command("c", "Fail", "echo to stdout; echo kaputt >&2; exit 3")
    run = host.make(command, File(str(host.path("after")), "x", 0o644, host.owner))
    assert run.status == 1
    assert "exit status 3" in str(run.failure["found"])
    assert "kaputt" in str(run.failure["found"])
    assert "to stdout" in run.log
    assert not host.path("after").exists(), "nothing after a failure is touched"


def test_output_cannot_forge_or_break_events(host: LocalHost) -> None:
    forged = 'nonce-of-this-run done {\\"changed\\":99}'
    run = host.make(
        Command("c", "Forge", f'printf "%s\\n" "{forged}"; printf "no newline at the end"')
    )
    assert run.changed == 1
    assert "99" in run.log
    assert "no newline at the end" in run.log


def test_a_command_cannot_swallow_the_channel(host: LocalHost) -> None:
    run = host.make(
        Command("c", "Read", "cat; head -c 10"), File(str(host.path("x")), "x", 0o644, host.owner)
    )
    assert run.status == 0
    assert host.path("x").read_text() == "x"


def test_a_wait_ends_as_soon_as_it_is_so(host: LocalHost) -> None:
    flag = host.path("flag")
    wait = Wait(
        "w", "Flag", f"[ -e {flag} ] || {{ touch {flag}; false; }}", 20, "the flag is there"
    )
    began = time.monotonic()
    run = host.make(wait)
    assert run.states(wait.key) == ["changing", "ok"]
    assert time.monotonic() - began < 3
    assert run.changed == 0, "waiting changes nothing"


def test_a_wait_that_fails_gives_expectation_and_diagnosis(host: LocalHost) -> None:
    run = host.make(Wait("w", "Never", "false", 1, "the API answers", "echo connection refused"))
    assert run.failure["hint_code"] == "timeout"
    assert run.failure["expected"] == "the API answers"
    assert "connection refused" in str(run.failure["found"])


def test_a_wait_gives_up_at_once_when_its_unit_has_failed(host: LocalHost) -> None:
    host.program("systemctl", "echo ActiveState=failed; echo NRestarts=0")
    host.program("journalctl", "echo listen tcp :6443: bind: address already in use")
    host.program("ss", "echo LISTEN 0.0.0.0:6443 nginx")
    began = time.monotonic()
    run = host.make(Wait("w", "API", "false", 60, "ready", units=("kube-apiserver.service",)))
    assert time.monotonic() - began < 20
    assert run.failure["hint_code"] == "port_in_use"
    assert "nginx" in str(run.failure["found"])


def test_restarts_of_long_ago_do_not_end_a_wait(host: LocalHost) -> None:
    """A unit that was restarted often before the wait began may be fine by now."""
    host.program(
        "systemctl",
        'case "$*" in *--value*) echo 9;; *) printf "NRestarts=9\\nActiveState=active\\n";; esac',
    )
    flag = host.path("flag")
    slow = f"echo x >> {flag}; [ $(wc -l < {flag}) -gt 14 ]"
    wait = Wait("w", "API", slow, 30, "ready", units=("kube-apiserver.service",))
    assert host.make(wait).states(wait.key) == ["changing", "ok"]


def test_a_unit_that_keeps_dying_ends_the_wait(host: LocalHost) -> None:
    counter = host.path("restarts")
    host.program(
        "systemctl",
        f'case "$*" in *--value*) echo 0;; *) echo x >> {counter};'
        f" echo NRestarts=$(wc -l < {counter}); echo ActiveState=activating;; esac",
    )
    host.program("journalctl", "echo panic: bad flag")
    run = host.make(Wait("w", "API", "false", 60, "ready", units=("kube-apiserver.service",)))
    assert run.failure["hint_code"] == "unit_failed"
    assert "panic: bad flag" in str(run.failure["found"])


def test_the_cause_is_found_above_the_stacks_of_a_panic(host: LocalHost) -> None:
    host.program("systemctl", "echo ActiveState=failed; echo NRestarts=9")
    journal = host.path("journal")
    stacks = "".join(f"goroutine {n} [running]:\n" for n in range(300))
    journal.write_text(f"panic: write /var/lib/etcd: no space left on device\n{stacks}")
    host.program(
        "journalctl",
        f"n=10; while [ $# -gt 0 ]; do [ $1 = -n ] && n=$2; shift; done; tail -n $n {journal}",
    )
    run = host.make(Wait("w", "etcd", "false", 60, "ready", units=("etcd.service",)))
    assert run.failure["hint_code"] == "disk_full"
    assert "write /var/lib/etcd: no space left" in str(run.failure["found"])
    assert "goroutine 299" in str(run.failure["found"])


def test_a_probe_that_finds_something_fails_with_it(host: LocalHost) -> None:
    good = Probe("p", "Fine", "true", "nothing", "left_behind")
    assert host.make(good).states(good.key) == ["ok"]
    run = host.make(Probe("p", "Left", "echo interface cni0; false", "nothing", "left_behind"))
    assert run.failure["hint_code"] == "left_behind"
    assert run.failure["found"] == "interface cni0"
