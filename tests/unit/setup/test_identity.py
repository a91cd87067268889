"""The console's processes are not root, whoever starts them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from console.setup import identity
from console.setup.identity import PLAIN_UID, UnknownUserError, choose, give, wanted

CHECKOUT = Path(__file__).resolve().parents[3]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: changes the owner of files")


def test_under_sudo_it_is_the_person_who_called_it() -> None:
    somebody = pwd.getpwnam("nobody")
    who = wanted({"SUDO_UID": str(somebody.pw_uid)})
    assert (who.uid, who.gid) == (somebody.pw_uid, somebody.pw_gid)


def test_console_user_goes_before_sudo() -> None:
    assert wanted({"CONSOLE_USER": "daemon", "SUDO_UID": "12345"}).name == "daemon"


def test_a_user_that_does_not_exist_is_named_with_the_mend() -> None:
    with pytest.raises(UnknownUserError, match=r"CONSOLE_USER=nosuch: .* leave CONSOLE_USER out"):
        wanted({"CONSOLE_USER": "nosuch"})


def test_plain_root_gets_a_number_that_no_account_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "PLAIN_NAME", "no-such-account-here")
    assert wanted({}).uid == PLAIN_UID
    assert PLAIN_UID not in {entry.pw_uid for entry in pwd.getpwall()}


def test_a_normal_user_stays_who_they_are() -> None:
    code = "from console.setup.identity import *; print(choose({}, Path.cwd()))"
    done = subprocess.run(
        # The module needs no packages, and nobody may not be able to run the tests' own Python.
        ["/usr/bin/python3", "-c", code],
        cwd=CHECKOUT,
        user="nobody" if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "(None, '')"


@needs_root
def test_root_stays_root_where_others_cannot_read_the_checkout_and_says_so(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    shutil.copytree(CHECKOUT / "console", closed / "console")
    closed.chmod(0o700)
    who, word = choose({"CONSOLE_USER": "nobody"}, closed)
    assert who is None
    assert "runs as root, because the user nobody" in word and "/opt" in word


def test_the_environment_names_the_user_and_forgets_sudo() -> None:
    who = wanted({"CONSOLE_USER": "daemon"})
    environment = who.environment({"PATH": "/bin", "HOME": "/root", "SUDO_UID": "1000"})
    assert environment["USER"] == "daemon" and environment["HOME"] != "/root"
    assert environment["PATH"] == "/bin" and "SUDO_UID" not in environment


@needs_root
def test_data_is_handed_over_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("root's")
    data = tmp_path / "var"
    (data / "releases").mkdir(parents=True)
    (data / "releases/kubelet.zst").write_text("x")
    (data / "link").symlink_to(outside)
    give(data, wanted({"CONSOLE_USER": "nobody"}))
    nobody = pwd.getpwnam("nobody").pw_uid
    assert (data / "releases/kubelet.zst").stat().st_uid == nobody
    assert outside.stat().st_uid == 0
