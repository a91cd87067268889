"""PodSecurityPolicies are there before an API server asks for them, whatever the operation."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from provisioning.facts import Facts
from provisioning.facts_state import PathFact
from provisioning.recipes.restore import RESTORE
from provisioning.spec import ClusterSpec
from provisioning.steps.api_ready import ApiReady, FirstObjects
from provisioning.steps.base import Step
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd_restore import NodesRestarted
from provisioning.steps.layout import KUBECTL
from provisioning.steps.pod_policies import policies
from provisioning.steps.resources import Command, File, Unit
from tests.unit.provisioning.standard import context, standard_spec

SERVER = "/etc/systemd/system/kube-apiserver.service"


def spec_of(version: str, **changes: object) -> ClusterSpec:
    found = standard_spec()
    return replace(found, release=replace(found.release, version=version), **changes)


def keys(step: Step, spec: ClusterSpec) -> list[str]:
    return [r.key for r in step.resources(context(spec))]


def test_a_running_cluster_has_them_before_its_api_server_restarts() -> None:
    found = keys(ControlPlane(), spec_of("v1.21.0", running=True))
    assert found.index("command:pod-policies") < found.index(f"file:{SERVER}")
    assert found.index(f"file:{SERVER}") < found.index("unit:kube-apiserver.service")


def test_they_neither_restart_an_api_server_nor_leave_a_file() -> None:
    with_them = ControlPlane().resources(context(spec_of("v1.21.0", running=True)))
    without = ControlPlane().resources(context(spec_of("v1.21.0")))
    (more,) = {r.key for r in with_them} - {r.key for r in without}
    assert more == "command:pod-policies"
    assert not any(more in r.restart_on for r in with_them if isinstance(r, Unit))


def test_a_new_cluster_has_them_before_its_nodes_and_one_that_comes_back_too() -> None:
    spec = spec_of("v1.20.2")
    assert "command:pod-policies" not in keys(ControlPlane(), spec), "there is nobody to tell yet"
    assert "command:pod-policies" in keys(FirstObjects(), spec)


def test_one_that_comes_back_from_a_snapshot_has_them_before_its_pods() -> None:
    steps = [
        placed.step.id
        for phase in RESTORE.phases(spec_of("v1.21.0", running=True))
        for placed in phase.placed
    ]
    assert steps.index(ApiReady.id) < steps.index(FirstObjects.id)
    assert steps.index(FirstObjects.id) < steps.index(NodesRestarted.id)


def test_an_api_server_that_asks_for_them_already_needs_no_preparation() -> None:
    spec = spec_of("v1.21.0", running=True)
    ctx = context(spec)
    (unit,) = [r for r in ControlPlane().resources(ctx) if r.key == f"file:{SERVER}"]
    assert isinstance(unit, File) and unit.content is not None

    def prepared(content: str) -> bool:
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        there = PathFact("file", unit.mode, unit.owner, len(content), sha256=sha256)
        seen = replace(ctx, facts={ctx.here.id: Facts(paths={SERVER: there})})
        return "command:pod-policies" in {r.key for r in ControlPlane().resources(seen)}

    assert not prepared(unit.content), "a second run of a plan would have something to do"
    assert prepared(unit.content.replace("PodSecurityPolicy", "")), "of an older console"


@pytest.mark.parametrize(
    ("version", "made", "taken"),
    [("v1.22.17", True, False), ("v1.23.0", False, True), ("v1.24.1", False, True),
     ("v1.25.0", False, False), ("v1.34.1", False, False)],
)  # fmt: skip
def test_they_go_with_the_first_version_that_has_pod_security(
    version: str, made: bool, taken: bool
) -> None:
    spec = spec_of(version, running=True)
    found = keys(FirstObjects(), spec)
    assert ("command:pod-policies" in found) == made
    assert ("command:no-pod-policies" in found) == taken
    assert ("command:pod-policies" in keys(ControlPlane(), spec)) == made


def test_nobody_may_use_a_policy_by_the_file_of_policies_alone() -> None:
    kinds = {(d["kind"], d["metadata"]["name"]) for d in yaml.safe_load_all(policies())}
    assert {kind for kind, _name in kinds} == {"PodSecurityPolicy", "ClusterRole"}
    assert len(kinds) == 6


KUBECTL_DOUBLE = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
*/readyz*) case "$*" in *"$ALIVE"*) exit 0 ;; esac; exit 1 ;;
*"get podsecuritypolicies "*) [ -e "$THERE" ] && echo policy; exit 0 ;;
*"get podsecuritypolicies/"*) [ -e "$THERE" ]; exit ;;
*"apply -f -"*)
  given=$(cat)
  case "$given" in
  *ClusterRoleBinding*) echo "applied $* open" >>"$LOG" ;;
  *PodSecurityPolicy*) echo "applied $* policies" >>"$LOG"; touch "$THERE" ;;
  esac ;;
esac
exit 0
"""


def run(tmp_path: Path, alive: str, there: bool) -> list[str]:
    """What kubectl is told when the command runs; its guard must hold afterwards."""
    spec = spec_of("v1.21.0", running=True)
    found = ControlPlane().resources(context(spec))
    (command,) = [r for r in found if isinstance(r, Command) and r.name == "pod-policies"]
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL_DOUBLE)
    program.chmod(0o755)
    if there:
        (tmp_path / "there").touch()
    env = os.environ | {
        "LOG": str(tmp_path / "log"), "ALIVE": alive, "THERE": str(tmp_path / "there"),
    }  # fmt: skip
    for text in (command.run, command.unless):
        text = text.replace(KUBECTL, str(program))
        done = subprocess.run(["sh", "-c", text], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
    return [
        line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("applied")
    ]


def test_everybody_may_use_everything_before_the_policies_are_there(tmp_path: Path) -> None:
    applied = run(tmp_path, "127.0.0.1", there=False)
    assert [line.split()[-1] for line in applied] == ["open", "policies"]


def test_what_tenancy_took_away_does_not_come_back_by_a_repair(tmp_path: Path) -> None:
    applied = run(tmp_path, "127.0.0.1", there=True)
    assert [line.split()[-1] for line in applied] == ["policies"]


def test_a_newcomer_tells_an_api_server_that_runs_already(tmp_path: Path) -> None:
    spec = spec_of("v1.21.0")
    other = spec.control_plane[1].address
    applied = run(tmp_path, other, there=False)
    assert applied and all(f"--server=https://{other}:6443" in line for line in applied)


def test_where_no_api_server_answers_there_is_nobody_to_tell(tmp_path: Path) -> None:
    assert run(tmp_path, "nobody", there=False) == []
