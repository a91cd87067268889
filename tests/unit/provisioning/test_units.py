"""Units, against a systemctl that remembers what it was told."""

from __future__ import annotations

import pytest

from provisioning.steps.compile import compile_script
from provisioning.steps.resources import File, Unit
from tests.unit.provisioning.conftest import CLUSTER, NONCE, LocalHost

SYSTEMCTL = r"""
d=%s/systemd; mkdir -p $d; echo "$*" >> $d/calls
last() { for x; do :; done; echo "$x"; }
case $1 in
show) case "$*" in *--value*) echo 0; exit;; esac
  [ -e $d/active ] && a=active || a=inactive
  [ -e $d/enabled ] && e=enabled || e=disabled
  printf 'LoadState=loaded\nUnitFileState=%%s\nActiveState=%%s\nNeedDaemonReload=no\n' $e $a ;;
enable) touch $d/enabled ;;
disable) rm -f $d/enabled ;;
start|restart|reload-or-restart) [ -e $d/broken ] && exit 1; touch $d/active ;;
stop) rm -f $d/active ;;
is-active) [ -e $d/active ] && echo active; [ -e $d/active ] ;;
is-enabled) [ -e $d/enabled ] && echo enabled; [ -e $d/enabled ] ;;
esac
"""


@pytest.fixture
def systemd(host: LocalHost) -> LocalHost:
    host.program("systemctl", SYSTEMCTL % host.root)
    host.program("journalctl", "echo kubelet: no such file config.yaml")
    host.program("ss", "true")
    return host


VERBS = ("start", "restart", "reload-or-restart", "stop", "enable")


def verbs(host: LocalHost) -> list[str]:
    calls = (host.root / "systemd/calls").read_text().splitlines()
    (host.root / "systemd/calls").unlink()
    return [c.split()[0] for c in calls if c.split()[0] in VERBS]


def wanted(host: LocalHost, content: str) -> tuple[File, Unit]:
    config = File(str(host.path("kubelet.yaml")), content, 0o644, host.owner)
    return config, Unit("kubelet.service", restart_on=(config.key,))


def test_a_unit_is_enabled_and_started_once(systemd: LocalHost) -> None:
    run = systemd.make(*wanted(systemd, "a"))
    assert verbs(systemd) == ["enable", "start"]
    assert run.priors[-1]["args"] == ["kubelet.service", "no", "no"]
    assert systemd.make(*wanted(systemd, "a")).changed == 0
    assert verbs(systemd) == []


def test_a_changed_config_restarts_it(systemd: LocalHost) -> None:
    systemd.make(*wanted(systemd, "a"))
    verbs(systemd)
    systemd.make(*wanted(systemd, "b"))
    assert verbs(systemd) == ["restart"]


def test_a_unit_that_can_reload_is_not_restarted(systemd: LocalHost) -> None:
    def wanted(content: str, version: str = "1") -> tuple[File, Unit]:
        config = File(str(systemd.path("haproxy.cfg")), content, 0o644, systemd.owner)
        unit = Unit("haproxy.service", restart_on=(config.key,), version=version, reload=True)
        return config, unit

    systemd.make(*wanted("a"))
    assert verbs(systemd) == ["enable", "start"]
    systemd.make(*wanted("b"))
    assert verbs(systemd) == ["reload-or-restart"]
    systemd.make(*wanted("b", version="2"))
    assert verbs(systemd) == ["reload-or-restart"]
    assert systemd.make(*wanted("b", version="2")).changed == 0


def test_a_restart_that_a_kill_prevented_is_made_up_for(systemd: LocalHost) -> None:
    systemd.make(*wanted(systemd, "a"))
    systemd.path("kubelet.yaml").write_text("drift")
    verbs(systemd)
    config, _unit = wanted(systemd, "a")
    # The config is back in place, the script dies before the unit is looked at.
    systemd.make(
        *wanted(systemd, "a"),
        stop_at=lambda e: e.data.get("key") == config.key and e.data.get("state") == "changed",
    )
    systemd.make(*wanted(systemd, "a"))
    assert "restart" in verbs(systemd)


def test_a_unit_that_does_not_start_says_why(systemd: LocalHost) -> None:
    systemd.path("systemd").mkdir()
    systemd.path("systemd/broken").touch()
    run = systemd.make(*wanted(systemd, "a"))
    assert run.failure["hint_code"] == "unit_failed"
    assert "no such file config.yaml" in str(run.failure["found"])


def test_undo_stops_and_disables_what_was_not_there(systemd: LocalHost) -> None:
    run = systemd.make(*wanted(systemd, "a"))
    systemd.undo(run.priors)
    assert not systemd.path("systemd/active").exists()
    assert not systemd.path("systemd/enabled").exists()


def test_undo_starts_again_what_was_running(systemd: LocalHost) -> None:
    systemd.path("systemd").mkdir()
    systemd.path("systemd/active").touch()
    systemd.path("systemd/enabled").touch()
    run = systemd.make(*wanted(systemd, "a"))
    systemd.undo(run.priors)
    assert systemd.path("systemd/active").exists()
    assert systemd.path("systemd/enabled").exists()


def test_a_dependency_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown file:/etc/y"):
        compile_script([Unit("x.service", restart_on=("file:/etc/y",))], NONCE, CLUSTER)
