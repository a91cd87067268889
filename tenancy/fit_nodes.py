"""Whether the nodes of a namespace have room for pods, from the inventory alone.

Looked at, as the scheduler does: ready and not cordoned, node names and selectors, required
node affinity, taints, and requests against what is free. Not looked at: affinity between
pods, spreading, the places of volumes, preemption; the report says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from clusters.kube.selectors import matches
from clusters.models import Node, Object
from clusters.pools_figures import node_amounts
from clusters.quantities import exact
from tenancy.amounts import Amounts, container_kind, human_of, of_container
from tenancy.fit_pods import JSON, Pods, as_map, as_maps
from tenancy.models import Namespace, TenantCluster
from tenancy.use import PODS, RUNNING, requested_by

STOPPING = ("NoSchedule", "NoExecute")
# So many tolerations, terms and values are looked at, for each node: no pod needs more.
MOST = 200


@dataclass(frozen=True)
class Placement:
    """How many of an object's pods find a node. reasons: why the others do not."""

    about: str
    wanted: int
    placed: int
    reasons: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether all of them do."""
        return self.placed >= self.wanted


@dataclass
class Room:
    """One node, and what is free on it: {"cpu", "memory", "pods", …: amount}."""

    node: Node
    free: Amounts = field(default_factory=dict)


def rooms_of(namespace: Namespace, asked: Iterable[str] = ()) -> list[Room]:
    """The nodes on which the namespace's pods may run: its pool's, or its tenant's pools', or all.

    asked: the resources that matter besides CPU, memory and pods. In at most six queries.
    """
    if namespace.pool is not None:
        names: list[str] | None = list(namespace.pool.nodes)
    else:
        grants = TenantCluster.objects.filter(
            tenant=namespace.tenant_id, cluster=namespace.cluster_id, pools__isnull=False
        )
        pools = list(grants.values_list("pools__nodes", flat=True))
        names = [name for nodes in pools for name in nodes] if pools else None
    if names is None:
        nodes = Node.objects.filter(cluster=namespace.cluster_id)
        names = list(nodes.values_list("name", flat=True))
    amounts, rows = node_amounts((namespace.cluster_id, name) for name in names)
    found = []
    for key, node in sorted(rows.items()):
        taken = amounts[key]
        free = _allocatable(node)
        for name, gone in (
            ("cpu", math.ceil(round(taken.cpu_requested * 1000, 3))),
            ("memory", math.ceil(taken.memory_requested)),
            ("pods", taken.pods_running),
        ):
            free[name] = free.get(name, 0) - gone
        found.append(Room(node, free))
    _take_others(namespace, {room.node.name: room for room in found}, set(asked))
    return found


def _take_others(namespace: Namespace, rooms: Mapping[str, Room], asked: set[str]) -> None:
    """Count what running pods have of devices and disks, which is in no column of their rows."""
    offered = {name for room in rooms.values() for name in room.free}
    names = asked & offered - {"cpu", "memory", "pods"}
    if not names:
        return
    running = Object.objects.filter(
        RUNNING, cluster=namespace.cluster_id, resource=PODS, node__in=rooms
    )
    for node, summary in running.order_by().values_list("node", "summary"):
        for name in names:
            if name in rooms[node].free:
                rooms[node].free[name] -= requested_by(summary, name)


def release(rooms: Iterable[Room], node: str, amounts: Mapping[str, int]) -> None:
    """Count a pod on a node as gone: it would be replaced."""
    for room in rooms:
        if room.node.name == node:
            for name, amount in {**amounts, "pods": 1}.items():
                room.free[name] = room.free.get(name, 0) + amount


def place(rooms: list[Room], all_pods: Iterable[Pods]) -> list[Placement]:
    """Where the pods would go, the largest first; takes what they need out of the rooms."""
    ordered = sorted(
        all_pods, key=lambda pods: sorted(pods.requests().items(), reverse=True), reverse=True
    )
    return [_place(rooms, pods) for pods in ordered]


def _place(rooms: list[Room], pods: Pods) -> Placement:
    asked = {name: amount for name, amount in pods.requests().items() if amount} | {"pods": 1}
    closed = {room.node.name: _closed(room.node, pods) for room in rooms}
    open_rooms = [room for room in rooms if not closed[room.node.name]]
    on_each = pods.replicas is None
    wanted = len(open_rooms) if pods.replicas is None else pods.replicas
    placed = 0
    for room in open_rooms:
        here = max(min(room.free.get(name, 0) // amount for name, amount in asked.items()), 0)
        here = min(here, 1 if on_each else wanted - placed)
        placed += here
        for name, amount in asked.items():
            room.free[name] = room.free.get(name, 0) - here * amount
    reasons: Iterable[str] = ()
    if placed < wanted or (on_each and not wanted):
        reasons = _reasons(rooms, open_rooms, closed, asked)
    return Placement(pods.about, wanted, placed, tuple(reasons))


def _reasons(
    rooms: list[Room], open_rooms: list[Room], closed: Mapping[str, str], asked: Amounts
) -> Iterable[str]:
    if not rooms:
        yield _("There is no node on which this namespace's pods may run.")
    for why, count in Counter(why for why in closed.values() if why).most_common():
        yield _("%(count)s of %(all)s nodes: %(why)s.") % {
            "count": count,
            "all": len(rooms),
            "why": why,
        }
    for name, amount in asked.items():
        most = max(open_rooms, key=lambda room: room.free.get(name, 0), default=None)
        if most is not None and most.free.get(name, 0) < amount:
            kind = container_kind(name)
            yield _(
                "%(resource)s: a pod asks for %(asked)s; the most that is left on a node is "
                "%(free)s, on %(node)s."
            ) % {
                "resource": name[:80],
                "asked": human_of(kind, amount),
                "free": human_of(kind, max(most.free.get(name, 0), 0)),
                "node": most.node.name,
            }


def _allocatable(node: Node) -> Amounts:
    found = {}
    for name, value in node.allocatable.items():
        # What a cluster says is not trusted to be right: no number is no room.
        if (exact(value) or 0) > 0:
            try:
                found[name] = of_container(name, value)
            except ValueError:
                found[name] = 0
    return found


def _closed(node: Node, pods: Pods) -> str:
    """Why no pod of these may run on the node; "" when one may."""
    spec, daemon = pods.spec, pods.kind == "DaemonSet"
    if not node.ready and not daemon:
        return _("not ready")
    if node.unschedulable and not daemon:
        return _("cordoned")
    if isinstance(name := spec.get("nodeName"), str) and name and name != node.name:
        return _("not the node that the pod names")
    labels = {**node.labels, "metadata.name": node.name}
    if any(labels.get(key) != value for key, value in as_map(spec.get("nodeSelector")).items()):
        return _("the node selector does not match")
    affinity = as_map(as_map(spec.get("affinity")).get("nodeAffinity"))
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if isinstance(required, dict):
        terms = as_maps(required.get("nodeSelectorTerms"))[:MOST]
        if not any(_term_matches(term, labels) for term in terms):
            return _("the node affinity does not match")
    return _untolerated(node, as_maps(spec.get("tolerations"))[:MOST], daemon)


def _untolerated(node: Node, tolerations: list[JSON], daemon: bool) -> str:
    for taint in node.taints:
        if taint.get("effect") not in STOPPING or any(_tolerates(t, taint) for t in tolerations):
            continue
        if daemon and str(taint.get("key", "")).startswith("node.kubernetes.io/"):
            continue  # DaemonSet's controller adds tolerations of these
        said = f"{taint.get('key')}={taint.get('value') or ''}:{taint['effect']}"
        return _("a taint that is not tolerated, %(taint)s") % {"taint": said}
    return ""


def _term_matches(term: JSON, labels: Mapping[str, Any]) -> bool:
    found = as_maps(term.get("matchExpressions")) + as_maps(term.get("matchFields"))
    return bool(found) and all(_expression_holds(one, labels) for one in found[:MOST])


def _expression_holds(one: JSON, labels: Mapping[str, Any]) -> bool:
    key, operator, values = one.get("key"), one.get("operator"), one.get("values") or []
    if not isinstance(key, str) or not isinstance(values, list):
        return False
    if operator not in ("Gt", "Lt"):
        short = {"key": key, "operator": operator, "values": values[:MOST]}
        return matches({"matchExpressions": [short]}, labels)
    try:
        label, bound = int(labels[key]), int(values[0])
    except (KeyError, ValueError, TypeError, IndexError):
        return False
    return label > bound if operator == "Gt" else label < bound


def _tolerates(toleration: JSON, taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    key = toleration.get("key") or ""
    if toleration.get("operator") == "Exists":
        return key in ("", taint.get("key"))
    return key == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")
