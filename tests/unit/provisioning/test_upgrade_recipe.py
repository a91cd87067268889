"""The upgrade as data: its order, what restarts, what hosts are refused for."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from provisioning import versions
from provisioning.facts import Disk, PathFact
from provisioning.plan import plan
from provisioning.recipe_rows import planned_steps, stretches
from provisioning.recipes.registry import RECIPES
from provisioning.recipes.upgrade import HARMLESS, upgrade_preflight
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Step
from provisioning.steps.compile import compile_script, settle
from provisioning.steps.control_plane import ControlPlane, apiserver_flags
from provisioning.steps.etcd import Etcd
from provisioning.steps.resources import Command, Link, Unit, Upload
from provisioning.steps.upgrade import NodeMarks, OldPrograms, OthersCarryOn, UploadPrograms
from tests.unit.provisioning.conftest import (
    CLUSTER,
    GIB,
    NONCE,
    LocalHost,
    facts_of,
    make_spec,
)
from tests.unit.provisioning.standard import context, standard_material, standard_spec

UPGRADE = RECIPES["upgrade"]


def upgraded(spec: ClusterSpec, to: str = "v1.21.0", since: str = "v1.20.2") -> ClusterSpec:
    release = replace(spec.release, version=to)
    return replace(spec, release=release, running=True, request={"from": since, "to": to})


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return upgraded(standard_spec())


@pytest.fixture(scope="module")
def material(spec: ClusterSpec) -> dict[str, str]:
    return standard_material(spec)


def phase(spec: ClusterSpec, name: str) -> Phase:
    return next(p for p in UPGRADE.phases(spec) if p.id == name)


def test_the_cluster_is_asked_and_saved_before_any_program_is_switched(spec: ClusterSpec) -> None:
    ids = [p.id for p in UPGRADE.phases(spec)]
    assert ids[:6] == ["check", "snapshot", "certificates", "copy", "control-plane", "workers"]
    harmless = [p for p in UPGRADE.phases(spec) if p.id in HARMLESS]
    for step in (placed.step for p in harmless for placed in p.placed):
        if isinstance(step, Step) and step.id != "etcd-whole":
            found = step.resources(context(spec))
            assert not any(isinstance(r, Link | Unit) for r in found), step.id


def test_one_host_at_a_time_control_planes_before_workers(spec: ClusterSpec) -> None:
    for name in ("control-plane", "workers"):
        assert phase(spec, name).rolling
        # One stretch: a host goes through all of its steps before the next begins.
        assert len(stretches([phase(spec, name)])) == 1
    steps = [placed.step.id for placed in phase(spec, "control-plane").placed]
    order = ["others", "drain", "control-plane-programs", "etcd", "control-plane", "api"]
    order += ["api-upgraded", "binaries", "node", "node-upgraded", "uncordon"]
    assert [s for s in steps if s in order] == order


def test_the_only_host_of_a_cluster_is_not_drained() -> None:
    alone, pair = upgraded(make_spec(workers=0)), upgraded(make_spec(workers=1))
    drained = {
        len(s.hosts): {p.step.id for ph in UPGRADE.phases(s) for p in ph.placed} & {"drain"}
        for s in (alone, pair)
    }
    assert drained == {1: set(), 2: {"drain"}}
    assert not OthersCarryOn().resources(context(alone))


def test_another_kubernetes_restarts_the_api_server_and_not_etcd(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    old = replace(spec, release=replace(spec.release, version="v1.20.2"))

    def marks(of: ClusterSpec) -> dict[str, str]:
        found = [
            r
            for s in (Etcd(), ControlPlane())
            for r in settle(s.resources(context(of, 0, material)))
        ]
        return {r.name: r.mark() for r in found if isinstance(r, Unit)}

    before, after = marks(old), marks(spec)
    assert before["etcd.service"] == after["etcd.service"]
    assert before["kube-apiserver.service"] != after["kube-apiserver.service"]
    other = replace(spec.release.files[6], sha256="e" * 64)
    assert other.name == "etcd"
    files = (*spec.release.files[:6], other, *spec.release.files[7:])
    assert (
        marks(replace(spec, release=replace(spec.release, files=files)))["etcd.service"]
        != before["etcd.service"]
    )


def test_an_api_server_behind_a_load_balancer_says_goodbye(spec: ClusterSpec) -> None:
    assert "--shutdown-delay-duration=3s" in apiserver_flags(context(spec))
    alone = upgraded(make_spec())
    assert not any("shutdown-delay" in flag for flag in apiserver_flags(context(alone)))


def test_programs_are_copied_beside_those_that_run(spec: ClusterSpec) -> None:
    found = UploadPrograms().resources(context(spec))
    paths = {r.path for r in found if isinstance(r, Upload)}
    assert "/opt/kubernetes/v1.21.0/kube-apiserver" in paths
    assert all(path.startswith("/opt/kubernetes/v1.21.0/") for path in paths)
    assert not any(isinstance(r, Link) for r in found)


@pytest.mark.parametrize("minor", range(versions.OLDEST[1], versions.NEWEST[1]))
def test_every_script_of_every_step_up_is_valid_shell(minor: int) -> None:
    spec = upgraded(standard_spec(), f"v1.{minor + 1}.0", f"v1.{minor}.3")
    made = standard_material(spec)
    for part in UPGRADE.phases(spec):
        for placed in part.placed:
            if isinstance(placed.step, Step):
                for host in placed.hosts[:1] if placed.anywhere else placed.hosts:
                    ctx = replace(context(spec, 0, made), host=host)
                    text = compile_script(placed.step.resources(ctx), NONCE, CLUSTER).text
                    done = subprocess.run(
                        ["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False
                    )
                    assert done.returncode == 0, (placed.step.id, done.stderr)


def test_its_rows_and_its_plan_are_of_the_same_steps(spec: ClusterSpec) -> None:
    made = plan(UPGRADE, spec, facts_of(spec), {})
    planned = {(phase.id, step.id) for phase in made.phases for step in phase.steps}
    rows = {(row.phase, row.step) for row in planned_steps(UPGRADE, spec)}
    assert planned <= rows


def test_taints_and_labels_follow_only_where_their_names_change() -> None:
    def names(since: str, to: str) -> set[str]:
        found = NodeMarks().resources(context(upgraded(standard_spec(), to, since)))
        return {r.name for r in found if isinstance(r, Command)}

    assert names("v1.20.2", "v1.21.0") == set()
    assert names("v1.23.4", "v1.24.0") == {"taints", "master-label"}


def test_the_last_version_stays_for_the_way_back_and_older_ones_go(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = host.path("opt")
    for name in ("v1.19.3", "v1.20.2", "v1.21.0", "current-notes"):
        (folder / name).mkdir(parents=True)
        (folder / name / "kubelet").touch()
    monkeypatch.setattr("provisioning.steps.upgrade.PROGRAMS", str(folder))
    monkeypatch.setattr(
        "provisioning.steps.upgrade.version_folder",
        lambda spec: f"{folder}/{spec.release.version}",
    )
    step = OldPrograms().resources(context(upgraded(make_spec())))
    assert host.make(*step).changed == 1
    assert sorted(path.name for path in folder.iterdir()) == ["current-notes", "v1.20.2", "v1.21.0"]
    assert host.make(*step).changed == 0


def codes(spec: ClusterSpec, **changes: object) -> set[str]:
    facts = facts_of(spec)
    first = spec.hosts[0]
    facts[first.id] = replace(facts[first.id], **changes)  # type: ignore[arg-type]
    problems = upgrade_preflight(spec, facts)
    return {p.code for p in problems if p.host == first.id}


def big(spec: ClusterSpec) -> ClusterSpec:
    files = tuple(replace(f, size=100_000_000) for f in spec.release.files)
    return replace(spec, release=replace(spec.release, files=files))


def test_a_host_without_room_for_both_versions_is_refused() -> None:
    spec = big(upgraded(make_spec()))
    small = (Disk("/", "/", 40 * GIB, 300 * 1024**2),)
    ours = {"disks": small, "clusters": (CLUSTER,)}
    assert "disk" in codes(spec, **ours)
    folder = "/opt/kubernetes/v1.21.0"
    there = {
        f"{folder}/{f.name}": PathFact("file", 0o755, "root:root", 1) for f in spec.release.files
    }
    assert "disk" not in codes(spec, **ours, paths=there)


def test_a_containerd_that_is_too_old_is_refused() -> None:
    spec = upgraded(make_spec(), "v1.26.0", "v1.25.3")
    assert "runtime_too_old" in codes(spec, packages={"containerd": "1.5.9-0ubuntu1"})
    assert "runtime_too_old" not in codes(spec, packages={"containerd": "1.6.20~ds1-1"})
    assert "runtime_too_old" not in codes(spec, packages={"containerd.io": "2.0.1-1"})
    assert "runtime_too_old" not in codes(spec, packages={})


def test_etcd_of_the_distribution_must_be_new_enough_and_never_takes_the_place_of_a_newer() -> None:
    spec = upgraded(make_spec(), "v1.29.0", "v1.28.3")
    bare = tuple(f for f in spec.release.files if f.kind != "etcd")
    spec = replace(spec, release=replace(spec.release, files=bare))
    assert "etcd_too_old" in codes(spec, packages={"etcd-server": "3.4.23+dfsg-4"})
    assert "etcd_too_old" not in codes(spec, packages={"etcd-server": "3.5.16-4"})
    own = {"/opt/kubernetes/v1.28.3/etcd": PathFact("file", 0o755, "root:root", 1)}
    assert "etcd_missing" in codes(spec, packages={"etcd-server": "3.5.16"}, paths=own)
