"""Rows of lists: clusters with figures of their nodes, nodes with their resources as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from clusters.models import Cluster, Node

_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([A-Za-z]{0,2})")
_FACTORS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def clusters_with_nodes() -> QuerySet[Cluster]:
    """Every cluster with `nodes_total` and `nodes_ready`, in one query."""
    return Cluster.objects.annotate(
        nodes_total=Count("nodes"), nodes_ready=Count("nodes", filter=Q(nodes__ready=True))
    )


def quantity(text: object) -> float | None:
    """A Kubernetes quantity ("2", "1500m", "2048Mi") as a number; None for anything else."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in _FACTORS:
        return None
    return float(match[1]) * _FACTORS[match[2]]


@dataclass(frozen=True)
class NodeRow:
    """A node as the table shows it."""

    node: Node
    status: str
    cpus: float | None
    memory: float | None
    pods: float | None


def node_rows(nodes: QuerySet[Node]) -> list[NodeRow]:
    """The nodes with their capacity as numbers, control planes first."""
    rows = [
        NodeRow(
            node=node,
            status="ready" if node.ready else "not_ready",
            cpus=quantity(node.capacity.get("cpu")),
            memory=quantity(node.capacity.get("memory")),
            pods=quantity(node.capacity.get("pods")),
        )
        for node in nodes
    ]
    return sorted(rows, key=lambda row: ("control-plane" not in row.node.roles, row.node.name))
