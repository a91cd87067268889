"""Rows of lists: clusters with figures of their nodes, nodes with their resources as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from clusters.kube.metrics_api import Use
from clusters.models import Cluster, Node
from clusters.quantities import quantity

UNKNOWN = Use(None, None)


def clusters_with_nodes() -> QuerySet[Cluster]:
    """Every cluster with `nodes_total` and `nodes_ready`, in one query."""
    return Cluster.objects.annotate(
        nodes_total=Count("nodes"), nodes_ready=Count("nodes", filter=Q(nodes__ready=True))
    )


@dataclass(frozen=True)
class NodeRow:
    """A node as the table shows it."""

    node: Node
    status: str
    cpus: float | None
    memory: float | None
    pods: float | None
    # What pods may take of it, and what is used now; None: not known.
    cpus_room: float | None = None
    memory_room: float | None = None
    use: Use = UNKNOWN


def node_rows(nodes: QuerySet[Node], uses: Mapping[str, Use] | None = None) -> list[NodeRow]:
    """The nodes with their capacity as numbers, control planes first. uses: by name."""
    rows = [
        NodeRow(
            node=node,
            status="ready" if node.ready else "not_ready",
            cpus=quantity(node.capacity.get("cpu")),
            memory=quantity(node.capacity.get("memory")),
            pods=quantity(node.capacity.get("pods")),
            cpus_room=quantity(node.allocatable.get("cpu")),
            memory_room=quantity(node.allocatable.get("memory")),
            use=(uses or {}).get(node.name, UNKNOWN),
        )
        for node in nodes
    ]
    return sorted(rows, key=lambda row: ("control-plane" not in row.node.roles, row.node.name))
