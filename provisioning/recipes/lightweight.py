"""The lightweight cluster: one control plane that also runs workloads, and 0 or more workers."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.spec import ClusterSpec
from provisioning.steps.addons import Addons, is_routed
from provisioning.steps.api_ready import ApiReady
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.binaries import Binaries, ControlPlanePrograms
from provisioning.steps.certificates import Certificates
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd import Etcd
from provisioning.steps.network import RoutedNetwork
from provisioning.steps.nodes import Node
from provisioning.steps.prepare import Prepare
from provisioning.steps.runtime import Runtime
from provisioning.steps.verify import Verify


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """The phases of provisioning.md; docs/decisions/0006 says why in this order."""
    everywhere, control_plane = spec.hosts, spec.control_plane
    first = control_plane[:1]
    network = (Placed(RoutedNetwork(), everywhere),) if is_routed(spec) else ()
    return (
        # Made first and in a moment, so that no host has to wait for it later.
        Phase("certificates", "Certificates", (Placed(Certificates()),)),
        Phase("prepare", "Prepare", (Placed(Prepare(), everywhere),)),
        Phase("runtime", "Container runtime", (Placed(Runtime(), everywhere),), follows=True),
        Phase(
            "control-plane-programs",
            "Control plane's programs",
            (Placed(ControlPlanePrograms(), control_plane),),
            follows=True,
        ),
        Phase("etcd", "etcd", (Placed(Etcd(), control_plane),), follows=True),
        # Started here and waited for below: it comes up while the nodes' programs are copied.
        Phase(
            "control-plane", "Control plane", (Placed(ControlPlane(), control_plane),), follows=True
        ),
        Phase("binaries", "Programs", (Placed(Binaries(), everywhere),), follows=True),
        *((Phase("network", "Network", network, follows=True),) if network else ()),
        Phase("api", "API", (Placed(ApiReady(), control_plane),), follows=True),
        Phase("workers", "Nodes", (Placed(Node(), everywhere),)),
        Phase("addons", "Add-ons", (Placed(Addons(), first),)),
        Phase("verify", "Verify", (Placed(Verify(), first),)),
    )


CREATE = Recipe("create_lightweight", "Create a lightweight cluster", phases, preflight)
REPAIR = Recipe("repair", "Repair the cluster", phases, preflight)
