"""Where things are on a host, and small texts that several steps share."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec, HostSpec, ReleaseFile
from provisioning.steps.base import Context

KUBERNETES = "/etc/kubernetes"
PKI = f"{KUBERNETES}/pki"
PROGRAMS = "/opt/kubernetes"
BIN = f"{PROGRAMS}/current"  # the link to the running version's directory
ADMIN = f"{KUBERNETES}/admin.conf"
UNITS = "/etc/systemd/system"
KUBELET = "/var/lib/kubelet"
KUBELET_CERTIFICATE = f"{KUBELET}/pki/kubelet-client-current.pem"
CNI_CONFIG = "/etc/cni/net.d"
# A cache of its own: the default is in root's home, where it would stay behind.
KUBECTL = f"{BIN}/kubectl --kubeconfig={ADMIN} --cache-dir=/run/kubernetes/kubectl"
API_PORT = 6443
NODE_PREFIX = 24  # bits of a node's pod range unless the option "node_prefix" says otherwise


def version_folder(spec: ClusterSpec) -> str:
    """The directory of this release's programs, "/opt/kubernetes/v1.20.2"."""
    return f"{PROGRAMS}/v{spec.release.version.removeprefix('v')}"


def facts_here(ctx: Context) -> Facts:
    """The last known facts of the step's host; unknown ones when it was never looked at."""
    return ctx.facts.get(ctx.here.id, Facts())


def release_files(spec: ClusterSpec, kind: str) -> tuple[ReleaseFile, ...]:
    """The files of one kind in the release."""
    return tuple(file for file in spec.release.files if file.kind == kind)


def is_control_plane(spec: ClusterSpec, host: HostSpec) -> bool:
    """Whether this host is one of the cluster's control planes."""
    return host in spec.control_plane


def service_address(spec: ClusterSpec, index: int) -> str:
    """The index-th address of the service range: 1 is the API, 10 the cluster's DNS."""
    return str(ipaddress.ip_network(spec.service_cidr)[index])


def pod_range(spec: ClusterSpec, host: HostSpec) -> str:
    """A host's own part of the pod network, from its index. ValueError when there is none left."""
    network = ipaddress.ip_network(spec.pod_cidr)
    prefix = int(str(spec.options.get("node_prefix", max(NODE_PREFIX, network.prefixlen))))
    if host.index >= 2 ** (prefix - network.prefixlen):
        raise ValueError(f"{spec.pod_cidr} has no /{prefix} left for host number {host.index + 1}")
    start = int(network.network_address) + host.index * 2 ** (network.max_prefixlen - prefix)
    return f"{ipaddress.ip_address(start)}/{prefix}"


def cgroup_driver(facts: Facts) -> str:
    """ "systemd", or "cgroupfs" in a container, whose systemd does not own the real hierarchy."""
    return "cgroupfs" if facts.container or facts.init != "systemd" else "systemd"


def as_yaml(*documents: Mapping[str, Any]) -> str:
    """YAML documents, keys in the order in which they are given."""
    return "---\n".join(yaml.safe_dump(dict(d), sort_keys=False) for d in documents)


def unit_file(
    description: str,
    command: Iterable[str],
    *,
    after: str = "network-online.target",
    wants: str = "network-online.target",
    service: Iterable[str] = ("Type=simple",),
) -> str:
    """A systemd unit that keeps a program running. command: its words, without blanks or quotes."""
    words = list(command)
    for word in words:
        if not word or any(c in word for c in " \t\n\"'%\\$;"):
            raise ValueError(f"{word!r} cannot stand in a unit as it is")
    lines = [
        "# Written by Flotilla; changes are put back by the next repair.",
        "[Unit]",
        f"Description={description}",
        "Documentation=https://kubernetes.io/docs/",
        f"After={after}",
        f"Wants={wants}",
        "# It never gives up: after a power cut the parts come up in any order.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        *service,
        "ExecStart=" + " \\\n  ".join(words),
        "Restart=always",
        "RestartSec=1",
        "LimitNOFILE=65536",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ]
    return "\n".join(lines)
