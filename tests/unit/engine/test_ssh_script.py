"""A script arrives whole: behind its length, whatever sudo asks, and with what follows unread."""

from __future__ import annotations

import subprocess

import pytest

from provisioning.ssh_script import command, prologue
from provisioning.ssh_types import Target


def target(username: str, sudo_password: str = "") -> Target:
    return Target(
        name="a", address="192.0.2.1", port=22, username=username, host_key="",
        sudo_password=sudo_password,
    )  # fmt: skip


@pytest.mark.parametrize("script", ["cat", "cat # é\n\n", "x=1\ncat\n: 'quoted \"text\"'"])
def test_the_script_runs_and_leaves_what_follows_to_itself(script: str) -> None:
    sent = prologue(target("root"), True, script) + b"payload\n\0end"
    run = subprocess.run(
        ["/bin/sh", "-c", command(target("root"), True, "")], input=sent, capture_output=True,
        check=True,
    )  # fmt: skip
    assert run.stdout == b"payload\n\0end"


def test_a_password_that_sudo_did_not_ask_for_is_no_script() -> None:
    somebody = target("ops", "n=$(id)")
    sent = prologue(somebody, True, 'printf "%s" "$FLOTILLA_RUN"')
    assert sent.startswith(b"n=$(id)\n")
    asked = command(somebody, True, "1.2.3")
    assert asked.startswith("sudo -S -p '' -- ")
    run = subprocess.run(
        ["/bin/sh", "-c", asked.removeprefix("sudo -S -p '' -- ")], input=sent,
        capture_output=True, check=True,
    )  # fmt: skip
    assert run.stdout == b"1.2.3"


def test_a_password_is_sent_only_where_sudo_may_ask() -> None:
    assert b"secret" not in prologue(target("root", "secret"), True, "id")
    assert b"secret" not in prologue(target("ops", "secret"), False, "id")
    assert "secret" not in command(target("ops", "secret"), True, "")
    assert command(target("ops"), True, "").startswith("sudo -n -- ")
    assert "sudo" not in command(target("ops"), False, "")
