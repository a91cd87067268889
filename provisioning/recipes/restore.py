"""Restore: the cluster from a snapshot, on the control planes that still answer."""

from __future__ import annotations

from provisioning.spec import ClusterSpec
from provisioning.steps.api_ready import ApiReady, FirstObjects
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.binaries import ControlPlanePrograms
from provisioning.steps.certificates import Certificates
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd_restore import (
    CheckSnapshot,
    EtcdRestored,
    NewEtcdAuthority,
    NodesRestarted,
    OldDataAside,
    RestoredBalancer,
    RestoreProven,
    RestoreSnapshot,
    StopControlPlane,
)


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """All stand still before the first moves on: two etcds of one cluster would be two truths.

    Whether a host is left out is decided once, when it is first looked at; a
    phase that does not follow on waits for all the others.
    """
    members = spec.control_plane
    back = (
        # An upgrade that stopped half-way has switched some hosts to the next version's programs.
        Placed(ControlPlanePrograms(), members),
        Placed(EtcdRestored(), members),
        *((Placed(RestoredBalancer(), members),) if spec.vip else ()),
        Placed(ControlPlane(), members),
        Placed(ApiReady(), members),
    )
    authority = (Placed(NewEtcdAuthority()), Placed(Certificates()))
    return (
        Phase("snapshot", "Snapshot", (Placed(CheckSnapshot()),)),
        Phase("stop", "Stop the control plane", (Placed(StopControlPlane(), members),)),
        Phase("aside", "Put the old data aside", (Placed(OldDataAside(), members),)),
        Phase("certificates", "Certificates", authority),
        Phase("restore", "Restore", (Placed(RestoreSnapshot(), members, anywhere=True),)),
        Phase("control-plane", "Control plane, one host after another", back, rolling=True),
        # The snapshot may be of a time before them, and no pod comes back without its policies.
        Phase("objects", "Rights and tokens", (Placed(FirstObjects(), members, anywhere=True),)),
        Phase("nodes", "Nodes", (Placed(NodesRestarted(), spec.hosts),)),
        Phase("verify", "Verify", (Placed(RestoreProven(), members, anywhere=True),)),
    )


RESTORE = Recipe("restore", "Restore from a snapshot", phases)
