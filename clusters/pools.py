"""Keeps the nodes of resource pools as their pools say: labels and taints, put right after drift.

What a pool puts on a node is written down in its row (`put`) before it is put there.
A node that leaves loses exactly that, and gets back what was in its place; what somebody
else had put there before, or has changed since the node left, is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.kube import Conflict, Connection, KubeError
from clusters.kube.nodes_api import node_path
from clusters.models import Cluster, ResourcePool
from clusters.pools_rules import POOL_LABEL, Taint

JSON = dict[str, Any]
MOST_PROBLEM = 2000

TaintKey = tuple[str, str]  # key and effect, by which Kubernetes tells taints apart


@dataclass
class Mark:
    """What a pool puts on one node; was: the values that it took the place of."""

    labels: dict[str, str] = field(default_factory=dict)
    taints: dict[TaintKey, str] = field(default_factory=dict)
    labels_were: dict[str, str] = field(default_factory=dict)
    taints_were: dict[TaintKey, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, kept: Any) -> Mark:
        """From ResourcePool.put."""
        told: Mapping[str, Any] = kept if isinstance(kept, Mapping) else {}
        return cls(
            dict(told.get("labels") or {}),
            _by_key(told.get("taints") or []),
            dict(told.get("labels_were") or {}),
            _by_key(told.get("taints_were") or []),
        )

    def as_json(self) -> JSON:
        """For ResourcePool.put."""
        return {
            "labels": self.labels,
            "taints": _listed(self.taints),
            "labels_were": self.labels_were,
            "taints_were": _listed(self.taints_were),
        }

    def __bool__(self) -> bool:
        return bool(self.labels or self.taints)

    def __or__(self, other: Mark) -> Mark:
        return Mark(
            self.labels | other.labels,
            self.taints | other.taints,
            self.labels_were | other.labels_were,
            self.taints_were | other.taints_were,
        )


class Change(NamedTuple):
    """What one node needs. patch: a merge patch, None when all is well. put: what is ours then."""

    patch: JSON | None
    put: Mark


def wanted_of(pool: ResourcePool, node: str) -> Mark:
    """What the pool wants on a node: nothing on one that is not (or no longer) in it."""
    if node not in members(pool):
        return Mark()
    return Mark({**pool.labels, POOL_LABEL: pool.name}, _by_key(pool.taints))


def members(pool: ResourcePool) -> list[str]:
    """The nodes that are to carry the pool's marks."""
    return [] if pool.deleting else list(pool.nodes)


def change_of(node: JSON, put: Mark, wanted: Mark) -> Change:
    """How a node as the API server has it becomes what is wanted.

    A wanted label or taint with another value is put right. One that is there as wanted
    and that the pool did not put there stays somebody else's. What the pool put there
    and no longer wants goes, unless its value is another one by now.
    """
    labels = _labels_of(node)
    ours = Mark()
    _settle(labels, put.labels, wanted.labels, put.labels_were, ours.labels, ours.labels_were)
    ours.labels_were.pop(POOL_LABEL, None)  # of another pool of ours, never somebody's own
    before = _labels_of(node)
    changed = {k: labels.get(k) for k in {**before, **labels} if before.get(k) != labels.get(k)}
    taints = {key: taint_value for key, (taint_value, _raw) in _taints_of(node).items()}
    were = dict(taints)
    _settle(taints, put.taints, wanted.taints, put.taints_were, ours.taints, ours.taints_were)
    patch: JSON = {}
    if changed:
        patch["metadata"] = {"labels": dict(sorted(changed.items()))}
    if taints != were:
        # A merge patch replaces the whole list: only upon the version that it was made from.
        patch.setdefault("metadata", {})["resourceVersion"] = _text(
            _metadata(node), "resourceVersion"
        )
        patch["spec"] = {"taints": _merged(node, taints) or None}
    return Change(patch or None, ours)


def _settle(
    there: dict[Any, str],
    put: Mapping[Any, str],
    wanted: Mapping[Any, str],
    were: Mapping[Any, str],
    ours: dict[Any, str],
    ours_were: dict[Any, str],
) -> None:
    """Make `there` what is wanted; fill in what is ours of it and what it took the place of."""
    for key, value in wanted.items():
        if key not in put and there.get(key) == value:
            continue
        if key in put:
            if key in were:
                ours_were[key] = were[key]
        elif key in there:
            ours_were[key] = there[key]
        there[key] = ours[key] = value
    for key, value in put.items():
        if key in wanted or there.get(key) != value:
            continue
        if key in were:
            there[key] = were[key]
        else:
            del there[key]


def reconcile(
    cluster: Cluster, connection: Connection, held: Callable[[], None] = lambda: None
) -> list[str]:
    """Put every node of the cluster's pools right; what could not be done, one line each.

    For the watcher, while it holds the cluster's lease; held() is called before each
    change and raises when the lease is lost. One list of the nodes, and a patch for each
    that differs. Raises KubeError when even the list fails. A pool that is being
    deleted goes when no node has anything of it any more.
    """
    pools = list(ResourcePool.objects.filter(cluster=cluster))
    if not pools:
        return []
    nodes = {_text(_metadata(node), "name"): node for node in connection.nodes().items}
    work = _Work(connection, nodes, pools, held)
    # Those that leave come first: a node may move from one pool to another.
    for pool in pools:
        for name in [name for name in pool.put if name not in members(pool)]:
            work.settle(pool, name)
    for pool in pools:
        for name in members(pool):
            work.settle(pool, name)
    return [line for pool in pools for line in work.finish(pool)]


class _Work:
    """One round over a cluster's pools."""

    def __init__(
        self,
        conn: Connection,
        nodes: dict[str, JSON],
        pools: list[ResourcePool],
        held: Callable[[], None],
    ) -> None:
        self._conn = conn
        self._nodes = nodes
        self._pools = pools
        self._held = held
        self._problems: dict[int, list[str]] = {pool.pk: [] for pool in pools}

    def settle(self, pool: ResourcePool, name: str) -> None:
        """One node of one pool."""
        node = self._nodes.get(name)
        if node is None:
            self._keep(pool, name, Mark())
            if name in members(pool):
                self._problems[pool.pk].append(
                    _("%(node)s: the cluster has no node of this name now.") % {"node": name}
                )
            return
        other = next((p for p in self._pools if p.pk != pool.pk and name in p.put), None)
        if other is not None and name in members(pool):
            self._problems[pool.pk].append(
                _("%(node)s still carries what the pool “%(pool)s” has put on it.")
                % {"node": name, "pool": other.name}
            )
            return
        try:
            self._put(pool, name, node)
        except KubeError as error:
            self._problems[pool.pk].append(f"{name}: {error}")

    def _put(self, pool: ResourcePool, name: str, node: JSON) -> None:
        wanted = wanted_of(pool, name)
        for attempt in (1, 2):
            put = Mark.of_json(pool.put.get(name))
            change = change_of(node, put, wanted)
            if change.patch is not None:
                self._held()
                # Before the patch: whoever takes over after a crash knows what may be ours.
                self._keep(pool, name, put | change.put)
                try:
                    node = self._conn.merge_patch(node_path(name), change.patch)
                except Conflict:
                    if attempt == 2:
                        raise
                    self._keep(pool, name, put)
                    node = self._conn.get_json(node_path(name))
                    continue
                self._nodes[name] = node
            self._keep(pool, name, change.put)
            return

    def _keep(self, pool: ResourcePool, name: str, mark: Mark) -> None:
        kept = mark.as_json() if mark else None
        if pool.put.get(name) == kept:
            return
        if kept is None:
            pool.put.pop(name, None)
        else:
            pool.put[name] = kept
        # Only this field: a person may be changing the others at this moment.
        ResourcePool.objects.filter(pk=pool.pk).update(put=pool.put)

    def finish(self, pool: ResourcePool) -> list[str]:
        """Note how it went, and let a deleted pool go."""
        problems = self._problems[pool.pk]
        if pool.deleting and not pool.put:
            ResourcePool.objects.filter(pk=pool.pk, deleting=True).delete()
            return []
        text = "\n".join(problems)[:MOST_PROBLEM]
        ResourcePool.objects.filter(pk=pool.pk).update(problem=text, checked=timezone.now())
        return [f"{pool.name}: {line}" for line in problems]


def _by_key(taints: list[Taint]) -> dict[TaintKey, str]:
    return {(taint["key"], taint["effect"]): taint.get("value", "") for taint in taints}


def _listed(taints: Mapping[TaintKey, str]) -> list[Taint]:
    return [{"key": k, "value": v, "effect": effect} for (k, effect), v in taints.items()]


def _metadata(node: JSON) -> JSON:
    metadata = node.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""


def _labels_of(node: JSON) -> dict[str, str]:
    labels = _metadata(node).get("labels")
    pairs = labels.items() if isinstance(labels, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _taints_of(node: JSON) -> dict[TaintKey, tuple[str, JSON]]:
    """{(key, effect): (value, the taint as the server has it)}"""
    spec = node.get("spec")
    taints = spec.get("taints") if isinstance(spec, dict) else None
    return {
        (_text(taint, "key"), _text(taint, "effect")): (_text(taint, "value"), taint)
        for taint in (taints if isinstance(taints, list) else [])
        if isinstance(taint, dict)
    }


def _merged(node: JSON, wanted: Mapping[TaintKey, str]) -> list[JSON]:
    """The list for the patch; taints that stay keep what else is in them (timeAdded)."""
    there = _taints_of(node)
    result: list[JSON] = []
    for (key, effect), value in wanted.items():
        had = there.get((key, effect))
        if had is not None and had[0] == value:
            result.append(had[1])
        else:
            made = {"key": key, "effect": effect}
            result.append({**made, "value": value} if value else made)
    return result
