"""Who stands where in a cluster, for its picture: nodes as seen, and places that are planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth


@dataclass(frozen=True)
class Machine:
    """One box of the picture. state: ready, not_ready or pending (no node there yet).

    holds: the virtual IP is on this host, as far as the watcher saw last.
    """

    name: str
    address: str
    state: str
    version: str = ""
    holds: bool = False


@dataclass(frozen=True)
class Entry:
    """The virtual IP in front.

    state: up, not_ready, down, stranger or pending; holder: a host's name, "" when not known.
    """

    address: str
    state: str
    holder: str


@dataclass(frozen=True)
class Topology:
    """The boxes of a cluster, control planes and workers apart; entry is None without one."""

    control_plane: tuple[Machine, ...]
    workers: tuple[Machine, ...]
    entry: Entry | None = None


def topology(cluster: Cluster) -> Topology:
    """From the nodes that the watcher saw, and the places that the cluster's row plans."""
    entry = _entry(cluster)
    holder = entry.holder if entry else ""
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
        holds = bool(holder) and node.name == holder
        boxes[role][node.name] = Machine(node.name, node.address, state, node.version, holds)
    return Topology(tuple(boxes["control_plane"].values()), tuple(boxes["workers"].values()), entry)


def _entry(cluster: Cluster) -> Entry | None:
    if not cluster.vip:
        return None
    row = ControlPlaneHealth.objects.filter(cluster=cluster).first()
    seen = row.data.get("vip") if row else None
    if not seen:
        return Entry(cluster.vip, "pending", "")
    state = seen["api"]["state"]
    if cluster.status == ClusterStatus.PROVISIONING and state in ("down", "not_ready"):
        state = "pending"
    return Entry(cluster.vip, state, seen["holder"]["name"])
