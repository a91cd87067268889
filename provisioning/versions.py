"""What changed between Kubernetes versions, in one table. Recipes ask here and nowhere else.

Sources: the changelogs (CHANGELOG-1.NN.md, "Urgent Upgrade Notes", "Deprecation")
and the reference pages of the components; each row names its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

OLDEST = (1, 20)
NEWEST = (1, 37)

T = TypeVar("T")
_VERSION = re.compile(r"v?(\d{1,2})\.(\d{1,3})\.(\d{1,3})(?:[-+][0-9A-Za-z.+-]+)?")


@dataclass(frozen=True)
class Since(Generic[T]):
    """A fact whose value changed over time: the value from each minor of 1.x on, oldest first."""

    rows: tuple[tuple[int, T], ...]

    def at(self, minor: int) -> T:
        """The value for 1.<minor>; before the first row the first value."""
        value = self.rows[0][1]
        for start, later in self.rows:
            if minor >= start:
                value = later
        return value


def _until(removed: int) -> Since[bool]:
    """True for versions before 1.<removed>."""
    return Since(((0, True), (removed, False)))


def _from(start: int) -> Since[bool]:
    """True for 1.<start> and later."""
    return Since(((0, False), (start, True)))


# --container-runtime=remote: dockershim left in 1.24, the flag in 1.27 (CHANGELOG-1.27).
CONTAINER_RUNTIME_FLAG = _until(27)
# containerRuntimeEndpoint in KubeletConfiguration (CHANGELOG-1.27, Feature); the flag goes later.
RUNTIME_ENDPOINT_IN_CONFIG = _from(27)
# --pod-infra-container-image keeps the pause image from being collected; containerd pins it from
# 1.27 on and the flag is only a warning (CHANGELOG-1.27), gone in 1.35.
POD_INFRA_FLAG = _until(27)
# --port=0 of scheduler and controller-manager: insecure serving was on by default until 1.22,
# --port means nothing in 1.23 and is gone in 1.24 (CHANGELOG-1.23, CHANGELOG-1.24).
INSECURE_PORT_FLAG = _until(23)
# Anonymous access for the health paths alone: AuthenticationConfiguration `anonymous.conditions`,
# beta and on from 1.32 (Authenticating, "Anonymous authenticator configuration").
ANONYMOUS_CONDITIONS = _from(32)
AUTHENTICATION_CONFIG_API: Since[str] = Since(
    ((0, ""), (30, "apiserver.config.k8s.io/v1beta1"), (34, "apiserver.config.k8s.io/v1"))
)
# The label of control planes: node-role.kubernetes.io/control-plane came in 1.20; "master" left
# in 1.24 (KEP-2067). The taint follows one version later.
MASTER_LABEL = _until(24)
CONTROL_PLANE_TAINT: Since[str] = Since(
    ((0, "node-role.kubernetes.io/master"), (24, "node-role.kubernetes.io/control-plane"))
)
# Service-account tokens as Secrets are made for every account until 1.24 (CHANGELOG-1.24).
TOKEN_SECRETS = _until(24)
# cgroup v1: the kubelet wants failCgroupV1: false from 1.35 on (KEP-5573).
CGROUP_V1_OPT_IN = _from(35)
# Pod Security is on by itself from 1.23 on, as beta (CHANGELOG-1.23); before, the admission plug-in
# PodSecurityPolicy does its work. The kind left in 1.25 (CHANGELOG-1.25), the plug-in with it.
POD_SECURITY_POLICY = _until(23)
POD_SECURITY_POLICY_KIND = _until(25)
# Services with externalIPs take over traffic to any address (CVE-2020-8554); the plug-in that
# refuses them came in 1.21 (CHANGELOG-1.21). One version later here: the lab's 1.21 is the source
# of 1.20 under another name, and a name that it does not know stops an API server.
DENY_EXTERNAL_IPS = _from(22)
# The field omitManagedFields of an audit policy (CHANGELOG-1.23, API Change); a field that an API
# server does not know may keep it from starting.
OMIT_MANAGED_FIELDS = _from(23)
# The API of the pod disruption budget and of cron jobs that tools should speak.
POLICY_API: Since[str] = Since(((0, "policy/v1beta1"), (21, "policy/v1")))
# From 1.27 on a starting kubelet reports until it is Ready (CHANGELOG-1.27, fast status update at
# start); before, its first report comes too early and the next a whole period later.
FAST_STATUS = _from(27)
# Cloud credential providers inside the kubelet (CHANGELOG-1.27 removed the one for AWS): off AWS it
# asks the metadata address for seconds at every start.
AWS_PROVIDER_INSIDE = _until(27)
PAUSE_IMAGE: Since[str] = Since(
    (
        (0, "k8s.gcr.io/pause:3.2"),
        (21, "k8s.gcr.io/pause:3.4.1"),
        (22, "k8s.gcr.io/pause:3.5"),
        (23, "k8s.gcr.io/pause:3.6"),
        (24, "k8s.gcr.io/pause:3.7"),
        (25, "registry.k8s.io/pause:3.8"),
        (26, "registry.k8s.io/pause:3.9"),
        (31, "registry.k8s.io/pause:3.10"),
        (34, "registry.k8s.io/pause:3.10.1"),
    )
)
# The CoreDNS that kubeadm installs with a version.
COREDNS_IMAGE: Since[str] = Since(
    (
        (0, "k8s.gcr.io/coredns:1.7.0"),
        (21, "k8s.gcr.io/coredns/coredns:v1.8.0"),
        (22, "k8s.gcr.io/coredns/coredns:v1.8.4"),
        (23, "k8s.gcr.io/coredns/coredns:v1.8.6"),
        (25, "registry.k8s.io/coredns/coredns:v1.9.3"),
        (27, "registry.k8s.io/coredns/coredns:v1.10.1"),
        (29, "registry.k8s.io/coredns/coredns:v1.11.1"),
        (32, "registry.k8s.io/coredns/coredns:v1.11.3"),
        (33, "registry.k8s.io/coredns/coredns:v1.12.0"),
        (34, "registry.k8s.io/coredns/coredns:v1.12.1"),
        (37, "registry.k8s.io/coredns/coredns:v1.14.3"),
    )
)
# The oldest etcd that a version is served by: 3.4 until 1.33; 1.34 uses features of 3.5.24 and 3.6
# (cluster/images/etcd and kubeadm's SupportedEtcdVersion; minimum of kubeadm's table).
ETCD_MINIMUM: Since[tuple[int, int, int]] = Since(
    ((0, (3, 4, 3)), (22, (3, 4, 13)), (29, (3, 5, 0)), (34, (3, 5, 21)))
)
# The etcd that kubeadm ships with a version, for downloads.
ETCD_SHIPPED: Since[str] = Since(
    (
        (0, "3.4.13"), (22, "3.5.0"), (23, "3.5.1"), (24, "3.5.3"), (25, "3.5.4"), (26, "3.5.6"),
        (27, "3.5.7"), (28, "3.5.9"), (29, "3.5.10"), (30, "3.5.12"),
        (31, "3.5.15"), (32, "3.5.16"),
        (33, "3.5.21"), (34, "3.6.4"), (35, "3.6.6"),
    )
)  # fmt: skip

# The oldest containerd that a version's kubelet works with: CRI v1 alone since 1.26, which came
# with containerd 1.6 (CHANGELOG-1.26, "Urgent Upgrade Notes"); 1.35 is the last one that supports
# containerd 1.x (release announcement of 1.35, "Final call for containerd v1.X").
CONTAINERD_MINIMUM: Since[tuple[int, int]] = Since(((0, (1, 4)), (26, (1, 6)), (36, (2, 0))))


def parse(version: str) -> tuple[int, int, int]:
    """(major, minor, patch) of "1.20.2", "v1.33.1" or "v1.34.0-rc.1". ValueError if it is none."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a version such as v1.33.1")
    return int(match[1]), int(match[2]), int(match[3])


def minor(version: str) -> int:
    """The minor number of a Kubernetes 1.x version. ValueError for another major."""
    major, value, _ = parse(version)
    if major != 1:
        raise ValueError(f"{version!r} is not a version of Kubernetes 1.x")
    return value


def supported(version: str) -> bool:
    """Whether recipes serve this version. False also for what is no version."""
    try:
        return OLDEST <= parse(version)[:2] <= NEWEST
    except ValueError:
        return False


def etcd_new_enough(kubernetes: str, etcd: str) -> bool:
    """Whether this etcd serves this Kubernetes. ValueError when either is no version."""
    return parse(etcd) >= ETCD_MINIMUM.at(minor(kubernetes))


def containerd_new_enough(kubernetes: str, containerd: str) -> bool:
    """Whether this containerd ("1.6.20", "1.6.20~ds1-1", "2.0.0-1.el9") serves this Kubernetes.

    True also for what tells no version: nobody is kept from anything by a text that is not
    understood. ValueError when kubernetes is no version.
    """
    found = re.match(r"(?:\d+:)?v?(\d{1,3})\.(\d{1,3})", containerd)
    least = CONTAINERD_MINIMUM.at(minor(kubernetes))
    return found is None or (int(found[1]), int(found[2])) >= least


def admission_plugins(version: str) -> list[str]:
    """The API server's admission plug-ins beside those that are on by themselves.

    A name that a version does not know keeps its API server from starting.
    """
    at = minor(version)
    found = ["NodeRestriction", "PodNodeSelector", "PodTolerationRestriction"]
    if DENY_EXTERNAL_IPS.at(at):
        found.append("DenyServiceExternalIPs")
    if POD_SECURITY_POLICY.at(at):
        found.append("PodSecurityPolicy")
    return found


def kubelet_flags(version: str, pause_image: str) -> list[str]:
    """The kubelet's flags that depend on the version, for containerd."""
    at = minor(version)
    flags = []
    if CONTAINER_RUNTIME_FLAG.at(at):
        flags.append("--container-runtime=remote")
    if not RUNTIME_ENDPOINT_IN_CONFIG.at(at):
        flags.append("--container-runtime-endpoint=unix:///run/containerd/containerd.sock")
    if POD_INFRA_FLAG.at(at):
        flags.append(f"--pod-infra-container-image={pause_image}")
    return flags


def kubelet_config(version: str, cgroup: int) -> dict[str, object]:
    """The fields of KubeletConfiguration that depend on the version; cgroup: 1 or 2, the host's."""
    at = minor(version)
    config: dict[str, object] = {}
    if RUNTIME_ENDPOINT_IN_CONFIG.at(at):
        config["containerRuntimeEndpoint"] = "unix:///run/containerd/containerd.sock"
    if not FAST_STATUS.at(at):
        config["nodeStatusUpdateFrequency"] = "2s"
        config["nodeStatusReportFrequency"] = "5m0s"
    if CGROUP_V1_OPT_IN.at(at) and cgroup == 1:
        config["failCgroupV1"] = False
    return config


def kubelet_environment(version: str, virtualisation: str) -> list[str]:
    """Environment of the kubelet's unit. virtualisation: the host's, from its facts."""
    if AWS_PROVIDER_INSIDE.at(minor(version)) and virtualisation not in ("amazon", "xen"):
        return ["Environment=AWS_EC2_METADATA_DISABLED=true"]
    return []


def insecure_port_flags(version: str) -> list[str]:
    """What turns off plain HTTP of the scheduler and the controller-manager, where it exists."""
    return ["--port=0"] if INSECURE_PORT_FLAG.at(minor(version)) else []
