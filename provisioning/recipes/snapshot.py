"""Snapshot: a verified copy of etcd on the console. Also a phase of an upgrade."""

from __future__ import annotations

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.etcd_snapshot import TakeSnapshot


def taken(spec: ClusterSpec) -> Phase:
    """On the first control plane that answers and whose member is healthy."""
    return Phase(
        "snapshot", "Snapshot of etcd", (Placed(TakeSnapshot(), spec.control_plane, anywhere=True),)
    )


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """One phase; no host is changed."""
    return (taken(spec),)


SNAPSHOT = Recipe("snapshot", "Take a snapshot", phases)
