"""What a recipe works from: plain data about a cluster, its hosts and its files.

Nothing here knows Django or SSH, so a recipe can be read, planned and tested
without a database and without a machine.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

# Secrets and certificates of one cluster, by name ("ca/kubernetes.crt",
# "hosts/12/kubelet-serving.key", ...). The engine hands recipes a mapping that
# is encrypted at rest; tests hand them a dict.
Material = MutableMapping[str, str]


@dataclass(frozen=True)
class HostSpec:
    """One machine as a recipe sees it.

    id: the console's number of the host; name: its DNS label, which becomes the
    node's name; address: the IPv4 address that the other hosts reach it by;
    index: its place in the cluster from 0, kept for the cluster's life, from
    which its pod range is computed.
    """

    id: int
    name: str
    address: str
    index: int
    arch: str = "amd64"


@dataclass(frozen=True)
class ReleaseFile:
    """One file of a release on the console's disk.

    name: "kube-apiserver", "bridge", "images/pause.tar", ...; kind: "binary",
    "etcd", "cni" or "image"; sha256 and size (bytes) of the file as it must be
    on the host; packed: the Zstandard copy that travels (packed_size bytes).
    """

    name: str
    kind: str
    sha256: str
    size: int
    packed: Path
    packed_size: int


@dataclass(frozen=True)
class ReleaseSpec:
    """A verified bundle of Kubernetes binaries for one version and architecture."""

    version: str
    arch: str
    files: tuple[ReleaseFile, ...]
    pause_image: str
    verify_image: str


@dataclass(frozen=True)
class ClusterSpec:
    """Everything that decides what a cluster will be.

    profile: "lightweight" or "standard"; endpoint: "https://host:port" of the
    API entry; vip and router_id (VRRP, RFC 5798: 1 to 255): of a standard
    cluster; options: the recipe's further choices ("network": "routed",
    "schedule_on_control_plane": True, ...).

    What an operation on a cluster that is there already (running) adds:
    joining, the ids of hosts that become members by it; leaving, hosts that are
    members no longer once it is done (they are not in control_plane and
    workers), with the ids of those that were control planes; expendable, the
    ids of hosts without which it may go on; request, its own parameters.
    """

    id: int
    name: str
    profile: str
    release: ReleaseSpec
    control_plane: tuple[HostSpec, ...]
    workers: tuple[HostSpec, ...]
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    endpoint: str = ""
    vip: str = ""
    router_id: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    running: bool = False
    joining: frozenset[int] = frozenset()
    leaving: tuple[HostSpec, ...] = ()
    leaving_control_plane: frozenset[int] = frozenset()
    expendable: frozenset[int] = frozenset()
    request: Mapping[str, object] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[HostSpec, ...]:
        """Control plane first, then workers."""
        return self.control_plane + self.workers

    @property
    def touched(self) -> tuple[HostSpec, ...]:
        """Every host that an operation looks at: the members and those that leave."""
        return self.hosts + self.leaving

    @property
    def staying(self) -> tuple[HostSpec, ...]:
        """The members that were members before."""
        return tuple(host for host in self.hosts if host.id not in self.joining)

    @property
    def newcomers(self) -> tuple[HostSpec, ...]:
        """The members that join by this operation."""
        return tuple(host for host in self.hosts if host.id in self.joining)
