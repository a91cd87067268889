"""Whom the console's processes run as: never as root where that can be avoided.

Started by a normal user they run as that user. Started by root they run as, in this order:
the user named by CONSOLE_USER, the user who called sudo, the user `flotilla` where the
machine has one, or the bare number PLAIN_UID, which no account has. Only where that user
cannot read the checkout (a home folder closed to others) do they stay root, and say so.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Out of the range of people (1000-60000) and of systemd's dynamic users (61184-65519).
PLAIN_UID = 61077
PLAIN_NAME = "flotilla"


class UnknownUserError(Exception):
    """CONSOLE_USER names nobody on this machine."""


@dataclass(frozen=True)
class Identity:
    """A user to run as. name: for people and for USER; home: for HOME."""

    uid: int
    gid: int
    name: str
    home: str

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with what names the user replaced, and what sudo left behind removed."""
        kept = {k: v for k, v in base.items() if not k.startswith(("SUDO_", "XDG_"))}
        return {**kept, "HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def _account(entry: pwd.struct_passwd) -> Identity:
    return Identity(entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir)


def named(user: str) -> Identity:
    """The identity of an account's name or number; raises UnknownUserError."""
    if user.isdecimal():
        try:
            return _account(pwd.getpwuid(int(user)))
        except KeyError:
            return Identity(int(user), int(user), PLAIN_NAME, "/nonexistent")
    try:
        return _account(pwd.getpwnam(user))
    except KeyError:
        raise UnknownUserError(
            f"CONSOLE_USER={user}: this machine has no such user. Name one that exists, "
            "or leave CONSOLE_USER out."
        ) from None


def wanted(environ: Mapping[str, str]) -> Identity:
    """Whom root's console should run as. Raises UnknownUserError."""
    if user := environ.get("CONSOLE_USER"):
        return named(user)
    sudo = environ.get("SUDO_UID", "")
    if sudo.isdecimal() and int(sudo) != 0:
        return named(sudo)
    try:
        return named(PLAIN_NAME)
    except UnknownUserError:
        return Identity(PLAIN_UID, PLAIN_UID, PLAIN_NAME, "/nonexistent")


def can_run(identity: Identity, checkout: Path) -> bool:
    """Whether the identity can read the checkout and its packages: tried, not guessed."""
    probe = subprocess.run(
        [sys.executable, "-c", "import django, console.setup"],
        cwd=checkout,
        user=identity.uid,
        group=identity.gid,
        extra_groups=[],
        env=identity.environment({"PATH": os.environ.get("PATH", "/usr/bin:/bin")}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return probe.returncode == 0


def choose(environ: Mapping[str, str], checkout: Path) -> tuple[Identity | None, str]:
    """Whom to run as (None: as we are) and, where that needs a word, the word.

    Raises UnknownUserError.
    """
    if os.geteuid() != 0:
        return None, ""
    identity = wanted(environ)
    if identity.uid == 0:
        return None, "The console runs as root, as CONSOLE_USER says."
    try:
        usable = can_run(identity, checkout)
    except OSError:
        usable = False
    if usable:
        return identity, ""
    return None, (
        f"The console runs as root, because the user {identity.name} ({identity.uid}) cannot "
        f"read {checkout} or run {Path(sys.executable).resolve()}. Put the checkout where others "
        "may read it, such as under /opt, with a Python that everybody may run."
    )


def give(folder: Path, identity: Identity | None) -> None:
    """Hand a data folder and what root left in it over to the identity; links are not followed."""
    if identity is None:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        # What is gone meanwhile, such as a database's journal, needs no owner.
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if (status.st_uid, status.st_gid) != (identity.uid, identity.gid):
                os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
