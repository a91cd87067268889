"""What pools offer and what of it is taken, from the inventory and the newest metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count, FloatField, Q, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from clusters.metrics.latest import latest_everywhere
from clusters.models import Node, Object, ResourcePool
from clusters.models_metrics import Of
from clusters.quantities import quantity


@dataclass
class Amounts:
    """Of one node or pool. CPU in cores, memory in bytes; used None: not known."""

    cpu: float = 0.0
    memory: float = 0.0
    pods: float = 0.0
    cpu_requested: float = 0.0
    memory_requested: float = 0.0
    pods_running: int = 0
    cpu_used: float | None = None
    memory_used: float | None = None

    def add(self, other: Amounts) -> None:
        """Add another node; what is used is known only when it is of every node."""
        for name in ("cpu", "memory", "pods", "cpu_requested", "memory_requested", "pods_running"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.cpu_used = _plus(self.cpu_used, other.cpu_used)
        self.memory_used = _plus(self.memory_used, other.memory_used)


@dataclass
class PoolNode:
    """One node of a pool; row None: the cluster has no node of this name."""

    name: str
    row: Node | None
    amounts: Amounts


@dataclass
class PoolFigures:
    """A pool's nodes, and all of them together."""

    nodes: list[PoolNode] = field(default_factory=list)
    total: Amounts = field(default_factory=Amounts)

    @property
    def ready(self) -> int:
        """How many of its nodes are ready."""
        return sum(1 for node in self.nodes if node.row is not None and node.row.ready)


def figures(pools: Iterable[ResourcePool]) -> dict[int, PoolFigures]:
    """{pool: its figures}, in five queries however many pools."""
    listed = list(pools)
    names = {(pool.cluster_id, name) for pool in listed for name in pool.nodes}
    amounts, rows = node_amounts(names)
    found = {}
    for pool in listed:
        one = PoolFigures()
        for name in pool.nodes:
            key = (pool.cluster_id, name)
            one.nodes.append(PoolNode(name, rows.get(key), amounts[key]))
        present = [node.amounts for node in one.nodes if node.row is not None]
        if present:
            one.total = Amounts(cpu_used=0.0, memory_used=0.0)
        for each in present:
            one.total.add(each)
        found[pool.pk] = one
    return found


Key = tuple[int, str]  # cluster, node


def node_amounts(names: Iterable[Key]) -> tuple[dict[Key, Amounts], dict[Key, Node]]:
    """What each of these nodes offers, and its row where there is one."""
    amounts = {key: Amounts() for key in names}
    clusters = {cluster for cluster, _name in amounts}
    rows = {
        (node.cluster_id, node.name): node
        for node in Node.objects.filter(cluster__in=clusters, name__in={n for _c, n in amounts})
        if (node.cluster_id, node.name) in amounts
    }
    for key, node in rows.items():
        one = amounts[key]
        one.cpu = quantity(node.allocatable.get("cpu")) or 0.0
        one.memory = quantity(node.allocatable.get("memory")) or 0.0
        one.pods = quantity(node.allocatable.get("pods")) or 0.0
    running = Q(summary__phase__isnull=True) | ~Q(summary__phase__in=("Succeeded", "Failed"))
    pods = Object.objects.filter(
        running, cluster__in=clusters, resource="pods", node__in={n for _c, n in amounts}
    )
    sums = pods.order_by().values("cluster_id", "node")
    found = sums.annotate(
        running=Count("pk"),
        cpu=Sum(Cast(KT("summary__cpu_request"), FloatField())),
        memory=Sum(Cast(KT("summary__memory_request"), FloatField())),
    )
    for row in found:
        key = row["cluster_id"], row["node"]
        if key in amounts:
            amounts[key].pods_running = row["running"]
            amounts[key].cpu_requested = row["cpu"] or 0.0
            amounts[key].memory_requested = row["memory"] or 0.0
    for (cluster, _of, _ns, name), use in latest_everywhere(clusters, (Of.NODE,)).items():
        if (cluster, name) in amounts:
            amounts[cluster, name].cpu_used = use.cpu
            amounts[cluster, name].memory_used = use.memory
    return amounts, rows


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
