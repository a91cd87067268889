"""Who stands where in a cluster, for its picture: nodes as seen, and places that are planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusters.models import Cluster


@dataclass(frozen=True)
class Machine:
    """One box of the picture. state: ready, not_ready or pending (no node there yet)."""

    name: str
    address: str
    state: str
    version: str = ""


@dataclass(frozen=True)
class Topology:
    """The boxes of a cluster, control planes and workers apart."""

    control_plane: tuple[Machine, ...]
    workers: tuple[Machine, ...]


def topology(cluster: Cluster) -> Topology:
    """From the nodes that the watcher saw, and the places that the cluster's row plans."""
    planned: dict[str, Any] = cluster.options.get("places", {})
    boxes: dict[str, dict[str, Machine]] = {"control_plane": {}, "workers": {}}
    for role, places in boxes.items():
        for place in planned.get(role, []):
            places[place["name"]] = Machine(place["name"], place["address"], "pending")
    for node in cluster.nodes.all():
        role = "control_plane" if "control-plane" in node.roles else "workers"
        if node.name in boxes["control_plane"]:
            role = "control_plane"
        state = "ready" if node.ready else "not_ready"
        boxes[role][node.name] = Machine(node.name, node.address, state, node.version)
    return Topology(tuple(boxes["control_plane"].values()), tuple(boxes["workers"].values()))
