"""Installs what the tests need besides packages: `python -m tests.tools`, part of `make test`.

As root with apt it installs; otherwise it says what is missing and which tests will be skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from lab import base, kubernetes, requirements
from lab.errors import LabError

# Program, its Debian package, and the tests that need it.
PROGRAMS = (("chromium", "chromium", "tests/browser"), ("ssh", "openssh-client", "tests/e2e"))


def main() -> int:
    """Install or tell; never fails, because tests that miss something are skipped by name."""
    missing = [row for row in PROGRAMS if shutil.which(row[0]) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for _, package, _ in missing]
        print(f"Installing {', '.join(packages)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "-qq", "update"],
            ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages],
        ):
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                check=False,
            )
        missing = [row for row in PROGRAMS if shutil.which(row[0]) is None]
    for program, package, tests in missing:
        print(f"MISSING {program} (Debian: {package}): {tests} will be skipped")
    try:
        lacks = requirements.install(print)
    except LabError as error:
        print(error)
        lacks = requirements.missing()
    for lack in lacks:
        print(f"MISSING {lack.what} ({lack.how}): tests that need the lab will be skipped")
    return 0 if lacks else _prepare_lab()


def _prepare_lab() -> int:
    """The hosts' Debian and the Kubernetes programs, kept in the cache for the next time.

    Here and not in a fixture: the first time takes some ten minutes, which no test may.
    """
    try:
        base.ensure(_say)
        # The same source under the next minor version's name, for the tests of upgrades: where
        # no other Kubernetes can be had, two versions are one that is told to say two names.
        kubernetes.ensure_each((kubernetes.DEFAULT_VERSION, kubernetes.NEXT_VERSION), _say)
    except LabError as error:
        print(error)
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
