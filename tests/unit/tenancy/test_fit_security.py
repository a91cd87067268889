"""Pod security foretold: each rule of the Pod Security Standards, each container."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.fit_security import violations

NEW, OLD = 34, 24
# Passes restricted, as in the standard's own words.
GOOD: dict[str, Any] = {
    "metadata": {},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [
            {
                "name": "setup",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "containers": [
            {
                "name": "web",
                "ports": [{"containerPort": 80}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "runAsUser": 1000,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                },
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {}}],
    },
}
WEB, SETUP, POD = "spec.containers.0", "spec.initContainers.0", "spec"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good pod with one value put at a path of keys and numbers."""
    pod = copy.deepcopy(GOOD)
    at: Any = pod
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return pod


def test_a_good_pod_passes_every_level():
    for level in ("privileged", "baseline", "restricted"):
        assert violations(level, GOOD, NEW) == []


def test_a_plain_pod_passes_baseline_and_not_restricted():
    pod = {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}
    assert violations("baseline", pod, NEW) == []
    found = violations("restricted", pod, NEW)
    assert [one.rule for one in found] == [
        "Running as Non-root", "Privilege Escalation", "Seccomp", "Capabilities",
    ]  # fmt: skip
    assert {one.container for one in found} == {"web"}
    assert found[1].field == "spec.containers[web].securityContext.allowPrivilegeEscalation"


BASELINE = [
    ("spec.hostNetwork", True, "Host Namespaces"),
    ("spec.hostPID", True, "Host Namespaces"),
    ("spec.hostIPC", True, "Host Namespaces"),
    ("spec.hostNetwork", "true", "Host Namespaces"),
    (f"{WEB}.securityContext.privileged", True, "Privileged Containers"),
    (f"{SETUP}.securityContext.privileged", True, "Privileged Containers"),
    (f"{WEB}.securityContext.privileged", "yes", "Privileged Containers"),
    (f"{WEB}.securityContext.capabilities.add", ["SYS_ADMIN"], "Capabilities"),
    (f"{WEB}.securityContext.capabilities.add", ["ALL"], "Capabilities"),
    (f"{WEB}.securityContext.capabilities.add", ["CAP_CHOWN"], "Capabilities"),
    ("spec.volumes.0", {"name": "data", "hostPath": {"path": "/"}}, "HostPath Volumes"),
    (f"{WEB}.ports.0.hostPort", 80, "Host Ports"),
    (f"{WEB}.securityContext.procMount", "Unmasked", "/proc Mount Type"),
    (f"{WEB}.securityContext.seccompProfile.type", "Unconfined", "Seccomp"),
    ("spec.securityContext.seccompProfile.type", "Unconfined", "Seccomp"),
    (f"{WEB}.securityContext.appArmorProfile.type", "Unconfined", "AppArmor"),
    ("metadata.annotations", {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"},
     "AppArmor"),
    (f"{WEB}.securityContext.seLinuxOptions.type", "spc_t", "SELinux"),
    (f"{WEB}.securityContext.seLinuxOptions.type", ["spc_t"], "SELinux"),
    ("spec.securityContext.seLinuxOptions.user", "root", "SELinux"),
    (f"{SETUP}.securityContext.seLinuxOptions.role", "r", "SELinux"),
    ("spec.securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "Sysctls"),
    ("spec.securityContext.windowsOptions.hostProcess", True, "HostProcess"),
    (f"{WEB}.securityContext.windowsOptions.hostProcess", True, "HostProcess"),
    (f"{WEB}.livenessProbe", {"httpGet": {"host": "10.0.0.1"}}, "Host Probes / Lifecycle Hooks"),
    (f"{WEB}.lifecycle", {"preStop": {"tcpSocket": {"host": "x"}}},
     "Host Probes / Lifecycle Hooks"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "rule"), BASELINE)
def test_baseline_refuses(path, value, rule):
    pod = changed(path, value)
    (found,) = violations("baseline", pod, NEW)
    assert (found.level, found.rule) == ("baseline", rule)
    assert found.why
    assert rule in {one.rule for one in violations("restricted", pod, NEW)}
    assert violations("privileged", pod, NEW) == []


RESTRICTED = [
    (f"{WEB}.securityContext.allowPrivilegeEscalation", True, "Privilege Escalation"),
    (f"{SETUP}.securityContext.allowPrivilegeEscalation", None, "Privilege Escalation"),
    (f"{WEB}.securityContext.runAsNonRoot", False, "Running as Non-root"),
    (f"{WEB}.securityContext.runAsUser", 0, "Running as Non-root user"),
    ("spec.securityContext.runAsUser", 0, "Running as Non-root user"),
    (f"{WEB}.securityContext.capabilities.drop", ["NET_RAW"], "Capabilities"),
    (f"{WEB}.securityContext.capabilities.add", ["CHOWN"], "Capabilities"),
    ("spec.volumes.0", {"name": "data", "nfs": {"server": "s"}}, "Volume Types"),
]


@pytest.mark.parametrize(("path", "value", "rule"), RESTRICTED)
def test_restricted_refuses_and_baseline_does_not(path, value, rule):
    pod = changed(path, value)
    assert violations("baseline", pod, NEW) == []
    (found,) = violations("restricted", pod, NEW)
    assert (found.level, found.rule) == ("restricted", rule)


def test_what_the_whole_pod_says_counts_for_containers_that_say_nothing():
    pod = changed("spec.securityContext", {})
    rules = [(one.container, one.rule) for one in violations("restricted", pod, NEW)]
    assert rules == [
        ("setup", "Running as Non-root"), ("setup", "Seccomp"),
        ("web", "Running as Non-root"), ("web", "Seccomp"),
    ]  # fmt: skip


def test_older_versions_had_other_rules():
    keepalive = [{"name": "net.ipv4.tcp_keepalive_time", "value": "1"}]
    pod = changed("spec.securityContext.sysctls", keepalive)
    assert violations("baseline", pod, 29) == []
    assert [one.rule for one in violations("baseline", pod, 28)] == ["Sysctls"]
    probe = changed(f"{WEB}.livenessProbe", {"httpGet": {"host": "10.0.0.1"}})
    assert violations("baseline", probe, 33) == []
    engine = changed("spec.securityContext.seLinuxOptions.type", "container_engine_t")
    assert violations("baseline", engine, 31) == []
    assert [one.rule for one in violations("baseline", engine, 30)] == ["SELinux"]


def test_windows_pods_need_no_linux_settings():
    pod = {
        "spec": {
            "os": {"name": "windows"},
            "securityContext": {"runAsNonRoot": True},
            "containers": [{"name": "web"}],
        }
    }
    assert violations("restricted", pod, NEW) == []
    assert len(violations("restricted", pod, OLD)) == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "annotations", "spec", "containers", "initContainers", "volumes",
                 "securityContext", "capabilities", "add", "drop", "name", "ports", "os", "type",
                 "seccompProfile", "seLinuxOptions", "sysctls", "livenessProbe", "httpGet", "host"]
            ),
            inner, max_size=4,
        ),
        max_leaves=30,
    ).map(lambda value: value if isinstance(value, dict) else {"spec": value})
)  # fmt: skip
def test_no_nonsense_breaks_it(pod):
    assert isinstance(violations("restricted", pod, NEW), list)
