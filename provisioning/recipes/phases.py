"""The phases that recipes are made of, each for the hosts that it is given."""

from __future__ import annotations

from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.addons import Addons, is_routed
from provisioning.steps.api_ready import ApiReady, FirstObjects
from provisioning.steps.base import Phase, Placed
from provisioning.steps.binaries import Binaries, ControlPlanePrograms
from provisioning.steps.certificates import Certificates
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.entry import EntryLeft, EntryRejoined
from provisioning.steps.etcd import Etcd
from provisioning.steps.haproxy import HAProxy
from provisioning.steps.keepalived import Keepalived
from provisioning.steps.network import RoutedNetwork
from provisioning.steps.nodes import Node
from provisioning.steps.prepare import Prepare
from provisioning.steps.runtime import Runtime
from provisioning.steps.verify import Verify

Hosts = tuple[HostSpec, ...]


def certificates() -> Phase:
    """Made first and in a moment, so that no host has to wait for it later."""
    return Phase("certificates", "Certificates", (Placed(Certificates()),))


def machines(everywhere: Hosts, control_plane: Hosts) -> tuple[Phase, ...]:
    """What a Linux machine needs before Kubernetes starts on it."""
    return (
        Phase("prepare", "Prepare", (Placed(Prepare(), everywhere),)),
        Phase("runtime", "Container runtime", (Placed(Runtime(), everywhere),), follows=True),
        *_unless_empty(
            "control-plane-programs",
            "Control plane's programs",
            (Placed(ControlPlanePrograms(), control_plane),),
        ),
    )


def etcd(control_plane: Hosts) -> Phase:
    """All members at once: none answers before a quorum is up."""
    return Phase("etcd", "etcd", (Placed(Etcd(), control_plane),), follows=True)


def load_balancer(spec: ClusterSpec, control_plane: Hosts) -> tuple[Phase, ...]:
    """HAProxy and keepalived, where the cluster has a virtual IP."""
    if not spec.vip:
        return ()
    return _unless_empty("load-balancer", "Load balancer", balancers(spec, control_plane))


def balancers(spec: ClusterSpec, control_plane: Hosts) -> tuple[Placed, ...]:
    """The two steps of the HA layer."""
    if not spec.vip:
        return ()
    return (Placed(HAProxy(), control_plane), Placed(Keepalived(), control_plane))


def control_plane(hosts: Hosts) -> Phase:
    """Started here and waited for later: it comes up while the nodes' programs are copied."""
    return Phase("control-plane", "Control plane", (Placed(ControlPlane(), hosts),), follows=True)


def programs(spec: ClusterSpec, everywhere: Hosts, routed: Hosts = ()) -> tuple[Phase, ...]:
    """Programs and network of every node; routed: whose routes change too."""
    network = (Placed(RoutedNetwork(), routed or everywhere),) if is_routed(spec) else ()
    return (
        Phase("binaries", "Programs", (Placed(Binaries(), everywhere),), follows=True),
        *_unless_empty("network", "Network", network),
    )


def api(spec: ClusterSpec, hosts: Hosts) -> Phase:
    """The API answers on these hosts, and knows what comes next."""
    objects = Placed(FirstObjects(), spec.control_plane, anywhere=True)
    return Phase("api", "API", (Placed(ApiReady(), hosts), objects), follows=True)


def nodes(everywhere: Hosts) -> Phase:
    """kubelet and kube-proxy."""
    return Phase("workers", "Nodes", (Placed(Node(), everywhere),))


def finish(spec: ClusterSpec) -> tuple[Phase, ...]:
    """What makes nodes a cluster, and the proof."""
    return (
        Phase("addons", "Add-ons", (Placed(Addons(), spec.control_plane, anywhere=True),)),
        Phase("verify", "Verify", (Placed(Verify(), spec.control_plane, anywhere=True),)),
    )


def one_by_one(spec: ClusterSpec, hosts: Hosts) -> tuple[Phase, ...]:
    """Everything of the control plane, on one host after another: a quorum stays all the time."""
    placed = (
        Placed(Etcd(), hosts),
        *balancers(spec, hosts),
        Placed(ControlPlane(), hosts),
        Placed(ApiReady(), hosts),
    )
    if not hosts:
        return ()
    return (Phase("control-plane", "Control plane, one host after another", placed, rolling=True),)


def out_of_entry(spec: ClusterSpec, hosts: Hosts, *placed: Placed) -> tuple[Placed, ...]:
    """What stops an API server, between leaving the load balancers and coming back to them."""
    if not spec.vip:
        return placed
    return (Placed(EntryLeft(), hosts), *placed, Placed(EntryRejoined(), hosts))


def _unless_empty(id: str, title: str, placed: tuple[Placed, ...]) -> tuple[Phase, ...]:
    placed = tuple(p for p in placed if p.hosts)
    return (Phase(id, title, placed, follows=True),) if placed else ()
