"""Packages, against an apt that remembers."""

from __future__ import annotations

import pytest

from provisioning.steps.resources import Package
from tests.unit.provisioning.conftest import LocalHost

APT = r"""
d=%s/dpkg; mkdir -p $d
case "$*" in
*-s*) [ -e $d/lists ] || { echo "E: Unable to locate package"; exit 100; }
  echo "Inst runc (1.1 Debian)"; echo "Inst conntrack (1.4 Debian)"; echo "Conf runc" ;;
*update*) [ -e $d/offline ] && { echo "Temporary failure resolving"; exit 100; }; touch $d/lists ;;
*purge*) for x; do :; done; rm -f $d/$x ;;
*install*) touch $d/runc $d/conntrack; $FLOTILLA_ROOT/usr/sbin/policy-rc.d; echo services: $? ;;
esac
"""


@pytest.fixture
def debian(host: LocalHost) -> LocalHost:
    (host.root / "machine/usr/sbin").mkdir(parents=True)
    host.program("apt-get", APT % host.root)
    host.program("dpkg-query", f"for x; do :; done; [ -e {host.root}/dpkg/$x ] && printf installed")
    for name in ("systemctl", "ip", "iptables-save", "ip6tables-save", "nft"):
        host.program(name, "exit 0")
    return host


def test_a_package_that_is_there_stays(debian: LocalHost) -> None:
    (debian.root / "dpkg").mkdir()
    (debian.root / "dpkg/conntrack").touch()
    assert debian.make(Package("conntrack")).changed == 0


def test_what_a_package_is_for_may_come_from_elsewhere(debian: LocalHost) -> None:
    debian.path("conntrack").touch()
    assert debian.make(Package("conntrack", str(debian.path("conntrack")))).changed == 0


def test_installing_notes_everything_that_it_brings_and_undo_removes_just_that(
    debian: LocalHost,
) -> None:
    (debian.root / "dpkg").mkdir()
    (debian.root / "dpkg/runc").touch()
    run = debian.make(Package("conntrack"))
    assert run.status == 0, run.log
    assert "services: 101" in run.log, "nothing may start by being installed"
    assert not (debian.root / "machine/usr/sbin/policy-rc.d").exists()
    assert "package:conntrack" in [p["key"] for p in run.priors]
    assert "package:runc" not in [p["key"] for p in run.priors], "was there before"
    debian.undo(run.priors)
    assert not (debian.root / "dpkg/conntrack").exists()
    assert (debian.root / "dpkg/runc").exists()


def test_a_mirror_that_cannot_be_reached_is_named(debian: LocalHost) -> None:
    (debian.root / "dpkg").mkdir()
    (debian.root / "dpkg/offline").touch()
    run = debian.make(Package("conntrack"))
    assert run.failure["hint_code"] == "package_failed"
    assert "Temporary failure resolving" in str(run.failure["found"])
