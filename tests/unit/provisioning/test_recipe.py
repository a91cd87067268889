"""The lightweight recipe as data: facts in, resources and plans out."""

from __future__ import annotations

import copy
import json
import subprocess
from dataclasses import replace
from hashlib import sha256

import pytest
import yaml

from provisioning import versions
from provisioning.facts import Facts, PathFact, UnitFact
from provisioning.plan import plan
from provisioning.recipes.registry import RECIPES
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Context, Step, Verdict
from provisioning.steps.certificates import Certificates
from provisioning.steps.compile import compile_script, settle
from provisioning.steps.control_plane import apiserver_flags, controller_manager_flags
from provisioning.steps.layout import KUBELET_CERTIFICATE, pod_range
from provisioning.steps.network import network_script
from provisioning.steps.nodes import kubelet_config, kubelet_flags, proxy_config
from provisioning.steps.resources import Directory, File, Resource, Sysctl, Unit, Upload
from provisioning.steps.runtime import containerd_config
from provisioning.steps.verify import verify_pod
from tests.unit.provisioning.conftest import CLUSTER, NONCE, bare_facts, facts_of, make_spec

CREATE = RECIPES["create_lightweight"]


def material_of(spec: ClusterSpec) -> dict[str, str]:
    material: dict[str, str] = {}
    Certificates().run(Context(spec, None, {}, material), lambda _text: None)
    return material


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return make_spec()


@pytest.fixture(scope="module")
def material(spec: ClusterSpec) -> dict[str, str]:
    return material_of(spec)


def context(
    spec: ClusterSpec, host: HostSpec, material: dict[str, str] | None = None, **changes: object
) -> Context:
    return Context(spec, host, facts_of(spec, **changes), material or {})


def resources(
    spec: ClusterSpec, host: HostSpec, material: dict[str, str], **changes: object
) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for phase in CREATE.phases(spec):
        for placed in phase.placed:
            if isinstance(placed.step, Step) and host in placed.hosts:
                ctx = context(spec, host, material, **changes)
                found.update({r.key: r for r in settle(placed.step.resources(ctx))})
    return found


def file(found: dict[str, Resource], path: str) -> str:
    resource = found[f"file:{path}"]
    assert isinstance(resource, File)
    return resource.content or ""


def test_the_phases_come_in_their_order(spec: ClusterSpec) -> None:
    assert [p.id for p in CREATE.phases(spec)] == [
        "certificates", "prepare", "runtime", "control-plane-programs", "etcd", "control-plane",
        "binaries", "network", "api", "workers", "addons", "verify",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "version", [f"v1.{n}.0" for n in range(versions.OLDEST[1], versions.NEWEST[1] + 1)]
)
@pytest.mark.parametrize("container", ["", "systemd-nspawn"])
def test_every_script_of_every_version_is_valid_shell(version: str, container: str) -> None:
    spec = make_spec(version)
    material = material_of(spec)
    for phase in CREATE.phases(spec):
        for placed in phase.placed:
            if isinstance(placed.step, Step):
                for host in placed.hosts:
                    ctx = context(spec, host, material, container=container)
                    text = compile_script(placed.step.resources(ctx), NONCE, CLUSTER).text
                    done = subprocess.run(
                        ["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False
                    )
                    assert done.returncode == 0, done.stderr


def test_workers_get_only_what_a_node_needs(spec: ClusterSpec, material: dict[str, str]) -> None:
    found = resources(spec, spec.workers[0], material)
    sent = {r.file.name for r in found.values() if isinstance(r, Upload)}
    assert sent == {"kubelet", "kube-proxy", "bridge"}
    assert not any("ca.key" in key or "admin" in key or "etcd" in key for key in found)


def test_no_private_key_of_an_authority_reaches_a_worker(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    keys = {material[f"ca/{n}.key"] for n in ("kubernetes", "etcd", "front-proxy")}
    for resource in resources(spec, spec.workers[0], material).values():
        if isinstance(resource, File):
            assert not any(key in (resource.content or "") for key in keys)


def test_private_files_are_for_root_only(spec: ClusterSpec, material: dict[str, str]) -> None:
    for resource in resources(spec, spec.hosts[0], material).values():
        if isinstance(resource, File) and (
            "PRIVATE KEY" in (resource.content or "")
            or "client-key-data" in (resource.content or "")
        ):
            assert resource.secret, resource.path
            assert resource.mode == 0o600, resource.path


def test_the_api_server_is_as_strict_as_the_benchmark_asks(spec: ClusterSpec) -> None:
    flags = apiserver_flags(context(spec, spec.hosts[0]))
    for wanted in (
        "--anonymous-auth=false",
        "--profiling=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins="
        "NodeRestriction,PodNodeSelector,PodTolerationRestriction,PodSecurityPolicy",
        "--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt",
        "--audit-policy-file=/etc/kubernetes/audit-policy.yaml",
        "--audit-log-path=/var/log/kubernetes/audit.log",
        "--audit-log-maxage=30",
        "--audit-log-maxbackup=10",
        "--audit-log-maxsize=100",
        "--encryption-provider-config=/etc/kubernetes/encryption.yaml",
        "--tls-min-version=VersionTLS12",
    ):
        assert wanted in flags


@pytest.mark.parametrize(
    ("version", "policies", "addresses"),
    [("v1.20.2", True, False), ("v1.21.14", True, False), ("v1.22.17", True, True),
     ("v1.23.0", False, True), ("v1.24.17", False, True), ("v1.25.0", False, True),
     ("v1.37.0", False, True)],
)  # fmt: skip
def test_an_api_server_is_told_of_no_plugin_that_it_does_not_know(
    version: str, policies: bool, addresses: bool
) -> None:
    spec = make_spec(version)
    flags = apiserver_flags(context(spec, spec.hosts[0]))
    (plugins,) = [f.partition("=")[2].split(",") for f in flags if "admission-plugins=" in f]
    assert ("PodSecurityPolicy" in plugins) == policies
    assert ("DenyServiceExternalIPs" in plugins) == addresses
    assert {"NodeRestriction", "PodNodeSelector", "PodTolerationRestriction"} <= set(plugins)


def test_newer_versions_let_anonymous_ask_for_health_and_nothing_else() -> None:
    spec = make_spec("v1.33.0")
    found = resources(spec, spec.hosts[0], material_of(spec))
    flags = apiserver_flags(context(spec, spec.hosts[0]))
    assert not any(f.startswith("--anonymous-auth") for f in flags), "both at once are refused"
    config = yaml.safe_load(file(found, "/etc/kubernetes/authentication.yaml"))
    assert config["anonymous"]["conditions"] == [
        {"path": "/livez"}, {"path": "/readyz"}, {"path": "/healthz"},
    ]  # fmt: skip


def test_removed_flags_are_gone() -> None:
    assert "--port=0" in controller_manager_flags(make_spec("v1.20.2"))
    assert "--port=0" not in controller_manager_flags(make_spec("v1.24.0"))
    spec = make_spec("v1.30.0")
    assert "--container-runtime=remote" not in kubelet_flags(context(spec, spec.hosts[0]))


def test_secrets_are_encrypted_at_rest_with_the_key_of_the_material(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    config = yaml.safe_load(
        file(resources(spec, spec.hosts[0], material), "/etc/kubernetes/encryption.yaml")
    )
    first = config["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    assert first == material["encryption.key"]


def test_a_host_that_is_a_container_is_left_its_kernel(spec: ClusterSpec) -> None:
    changes = {"container": "systemd-nspawn", "cap_sys_resource": False, "swap": ("/dev/sda2",)}
    ctx = context(spec, spec.hosts[0], **changes)
    assert "SystemdCgroup = false" in containerd_config(ctx)
    assert "restrict_oom_score_adj = true" in containerd_config(ctx)
    config = yaml.safe_load(kubelet_config(ctx))
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["failSwapOn"] is False
    assert yaml.safe_load(proxy_config(ctx))["conntrack"]["maxPerCore"] == 0


def test_a_machine_gets_the_systemd_driver_its_swap_off_and_the_kernel_set(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    found = resources(spec, spec.hosts[0], material)
    assert "SystemdCgroup = true" in file(found, "/etc/containerd/config.toml")
    assert "swap:off" in found
    assert found["sysctl:vm.overcommit_memory"] == Sysctl("vm.overcommit_memory", "1")
    inside = resources(spec, spec.hosts[0], material, container="systemd-nspawn")
    assert "swap:off" not in inside
    assert "sysctl:vm.overcommit_memory" not in inside


def test_folders_that_programs_fill_are_claimed_in_the_first_step(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    prepare = next(phase for phase in CREATE.phases(spec) if phase.id == "prepare")
    step = prepare.placed[0].step
    assert isinstance(step, Step)
    first = {
        r.path
        for r in step.resources(context(spec, spec.hosts[0]))
        if isinstance(r, Directory) and r.owns
    }
    assert {"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd", "/etc/cni"} <= first


def test_pod_ranges_follow_the_index_and_end() -> None:
    spec = make_spec(workers=2)
    assert [pod_range(spec, h) for h in spec.hosts] == [
        "10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no /24 left"):
        pod_range(spec, replace(spec.hosts[0], index=256))


def test_a_node_has_a_route_to_every_other_node_and_none_to_itself() -> None:
    spec = make_spec(workers=2)
    script = network_script(context(spec, spec.hosts[1]))
    assert "ip route replace 10.244.0.0/24 via 10.80.0.11" in script
    assert "ip route replace 10.244.2.0/24 via 10.80.0.13" in script
    assert "10.244.1.0/24" not in script
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_a_dedicated_control_plane_is_tainted_under_the_right_name() -> None:
    for version, name in (("v1.20.2", "master"), ("v1.24.0", "control-plane")):
        spec = make_spec(version, options={"schedule_on_control_plane": False})
        flags = kubelet_flags(context(spec, spec.hosts[0]))
        assert f"--register-with-taints=node-role.kubernetes.io/{name}=:NoSchedule" in flags
        assert not any("taints" in f for f in kubelet_flags(context(spec, spec.workers[0])))


def test_the_test_pod_has_no_rights(spec: ClusterSpec) -> None:
    pod = verify_pod(spec, spec.workers[0])["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] != 0
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "node2"}


def test_a_resumed_run_makes_no_new_certificates(spec: ClusterSpec) -> None:
    material = material_of(spec)
    before = dict(material)
    assert not Certificates().run(Context(spec, None, {}, material), lambda _text: None)
    assert material == before
    del material["hosts/11/kube-proxy.crt"]
    assert Certificates().run(Context(spec, None, {}, material), lambda _text: None)
    changed = {k for k in before if before[k] != material[k]}
    assert changed == {"hosts/11/kube-proxy.crt", "hosts/11/kube-proxy.key"}


def test_the_token_is_only_there_while_a_node_needs_it(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    joined = {KUBELET_CERTIFICATE: PathFact("link", 0o777, "root:root", 1)}
    assert "command:bootstrap-token" in resources(spec, spec.hosts[0], material)
    assert "command:bootstrap-token" not in resources(spec, spec.hosts[0], material, paths=joined)


def test_planning_changes_nothing_and_makes_no_certificate(spec: ClusterSpec) -> None:
    material: dict[str, str] = {}
    facts = facts_of(spec)
    before = copy.deepcopy(facts)
    result = plan(CREATE, spec, facts, material)
    assert material == {}
    assert facts == before
    assert result.changes > 50
    assert result.as_data() == plan(CREATE, spec, facts, material).as_data()
    json.dumps(result.as_data())


def test_no_secret_stands_in_a_plan(spec: ClusterSpec, material: dict[str, str]) -> None:
    text = json.dumps(plan(CREATE, spec, facts_of(spec), material).as_data())
    assert "\\u2022\\u2022" in text, "what is masked can be seen to be masked"
    secrets = [v for k, v in material.items() if k.endswith(".key")]
    lines = [x for v in secrets for x in v.splitlines() if len(x) > 20 and "-----" not in x]
    assert lines
    for line in [*lines, material["bootstrap.token"].partition(".")[2]]:
        assert line not in text


def test_secrets_of_a_script_are_all_named_for_masking(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    for phase in CREATE.phases(spec):
        for placed in phase.placed:
            if not isinstance(placed.step, Step):
                continue
            for host in placed.hosts:
                found = placed.step.resources(context(spec, host, material))
                masked = compile_script(found, NONCE, CLUSTER).secrets
                if any("bootstrap" in r.key for r in found):
                    secret = material["bootstrap.token"].partition(".")[2]
                    assert any(secret in m for m in masked)
                assert "apiVersion:" not in masked


def facts_after(spec: ClusterSpec, host: HostSpec, material: dict[str, str]) -> Facts:
    """Facts of a host on which everything is as the recipe wants it."""
    paths: dict[str, PathFact] = {KUBELET_CERTIFICATE: PathFact("link", 0o777, "root:root", 1)}
    units, marks, sysctls = {}, {}, {}
    for r in resources(spec, host, material, paths=dict(paths)).values():
        if isinstance(r, File):
            sha = sha256((r.content or "").encode()).hexdigest()
            paths[r.path] = PathFact("file", r.mode, r.owner, 1, "", sha)
        elif isinstance(r, Unit):
            units[r.name] = UnitFact(True, True, "active (running)")
            marks[r.key] = r.mark()
        elif isinstance(r, Sysctl):
            sysctls[r.name] = r.value
    return bare_facts(
        host.index, hostname=host.name, paths=paths, units=units, marks=marks, sysctls=sysctls
    )


def items(
    spec: ClusterSpec, facts: dict[int, Facts], material: dict[str, str]
) -> dict[str, Verdict]:
    result = plan(CREATE, spec, facts, material)
    return {
        f"{h.host.name}: {i.title}": i.verdict
        for phase in result.phases
        for step in phase.steps
        for h in step.hosts
        if h.host
        for i in h.items
    }


def test_drift_shows_in_the_plan_with_the_restart_that_follows(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    facts = {h.id: facts_after(spec, h, material) for h in spec.hosts}
    calm = items(spec, facts, material)
    assert calm["node2: File /etc/kubernetes/kubelet.yaml"] is Verdict.OK
    assert calm["node2: Unit kubelet.service"] is Verdict.OK
    worker = facts[spec.workers[0].id]
    drifted = PathFact("file", 0o644, "root:root", 1, "", "0" * 64, "maxPods: 1\n")
    facts[spec.workers[0].id] = replace(
        worker, paths={**worker.paths, "/etc/kubernetes/kubelet.yaml": drifted}
    )
    moved = items(spec, facts, material)
    changed = {k for k in calm if calm[k] != moved[k]}
    assert changed == {
        "node2: File /etc/kubernetes/kubelet.yaml",
        "node2: Unit kubelet.service",
    }
    detail = next(
        i.detail
        for p in plan(CREATE, spec, facts, material).phases
        for s in p.steps
        for h in s.hosts
        for i in h.items
        if h.host == spec.workers[0] and i.title.endswith("kubelet.yaml")
    )
    assert "-maxPods: 1" in detail


def test_delete_has_a_rescan_that_fails_on_anything_left(spec: ClusterSpec) -> None:
    phases = RECIPES["delete"].phases(spec)
    assert [p.id for p in phases] == ["undo", "rescan"]
    assert phases[0].placed[0].hosts == spec.hosts


def test_repair_runs_the_same_phases(spec: ClusterSpec) -> None:
    ids = [p.id for p in RECIPES["repair"].phases(spec)]
    assert ids == [p.id for p in CREATE.phases(spec)]


def test_a_release_without_coredns_says_so_in_the_plan(spec: ClusterSpec) -> None:
    text = json.dumps(plan(CREATE, spec, facts_of(spec), {}).as_data())
    assert "pods reach services by address" in text


def test_coredns_gets_the_address_that_kubelets_hand_out() -> None:
    spec = make_spec(options={"dns": "coredns"})
    found = resources(spec, spec.hosts[0], material_of(spec))
    objects = list(yaml.safe_load_all(file(found, "/etc/kubernetes/objects/dns.yaml")))
    service = next(o for o in objects if o["kind"] == "Service")
    kubelet = yaml.safe_load(file(found, "/etc/kubernetes/kubelet.yaml"))
    assert kubelet["clusterDNS"] == [service["spec"]["clusterIP"]] == ["10.96.0.10"]


def test_an_admins_network_manifest_replaces_the_routed_network() -> None:
    spec = make_spec(options={"network": "manifest", "network_manifest": "kind: DaemonSet\n"})
    found = resources(spec, spec.hosts[0], material_of(spec))
    assert file(found, "/etc/kubernetes/objects/network.yaml") == "kind: DaemonSet\n"
    assert "unit:kubernetes-network.service" not in found
    assert "--allocate-node-cidrs=true" in controller_manager_flags(spec)
