"""Hosts come and go: add nodes, remove one, replace a dead one."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.recipes import phases as parts
from provisioning.spec import ClusterSpec
from provisioning.steps.actions import DeleteNode, Drain
from provisioning.steps.addons import is_routed
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.etcd import EtcdMemberRemoved, EtcdQuorum
from provisioning.steps.network import RoutedNetwork
from provisioning.steps.prepare import Prepare
from provisioning.steps.undo import RescanStep, UndoStep


def add(spec: ClusterSpec) -> tuple[Phase, ...]:
    """Newcomers get everything; those that are there learn their names, routes and back ends.

    Control planes join one after another, each as a learner first, so that the
    quorum never counts on one that has no data yet.
    """
    new, old = spec.newcomers, spec.staying
    members = tuple(h for h in spec.control_plane if h.id in spec.joining)
    others = tuple(h for h in spec.control_plane if h.id not in spec.joining)
    neighbours = (Phase("neighbours", "Names on the other hosts", (Placed(Prepare(), old),)),)
    balancers = parts.balancers(spec, others) if members else ()
    return (
        parts.certificates(),
        *parts.machines(new, members),
        *(neighbours if old else ()),
        *parts.one_by_one(spec, members),
        *((Phase("back-ends", "Load balancer", balancers, rolling=True),) if balancers else ()),
        *parts.programs(spec, new, routed=spec.hosts),
        parts.api(spec, members or spec.control_plane[:1]),
        parts.nodes(new),
        *parts.finish(spec),
    )


def remove(spec: ClusterSpec) -> tuple[Phase, ...]:
    """First its pods, then its vote, then itself; at last the others forget it."""
    network = (Placed(RoutedNetwork(), spec.hosts),) if is_routed(spec) else ()
    balancers = parts.balancers(spec, spec.control_plane) if spec.leaving_control_plane else ()
    return (
        *_taken_off(spec),
        *((Phase("back-ends", "Load balancer", balancers, rolling=True),) if balancers else ()),
        Phase("neighbours", "Names on the other hosts", (Placed(Prepare(), spec.hosts), *network)),
    )


def _taken_off(spec: ClusterSpec) -> tuple[Phase, ...]:
    gone, members = spec.leaving, spec.leaving_control_plane
    quorum = Placed(EtcdQuorum(), spec.control_plane, anywhere=True)
    vote = Placed(EtcdMemberRemoved(), spec.control_plane, anywhere=True)
    return (
        *((Phase("quorum", "Quorum", (quorum,)),) if members else ()),
        Phase("drain", "Drain", (Placed(Drain(), gone),)),
        *((Phase("vote", "etcd", (vote,)),) if members else ()),
        Phase("undo", "Clean the hosts", (Placed(UndoStep(), gone),)),
        Phase("node", "Nodes", (Placed(DeleteNode(), gone),)),
        Phase("rescan", "Rescan", (Placed(RescanStep(), gone),)),
    )


def replace(spec: ClusterSpec) -> tuple[Phase, ...]:
    """The dead one is taken off first: a member that never answers must not count for the quorum
    while another joins."""
    return (*_taken_off(spec), *add(spec))


ADD = Recipe("add_nodes", "Add nodes", add, preflight)
REMOVE = Recipe("remove_node", "Remove a node", remove, preflight)
REPLACE = Recipe("replace_node", "Replace a node", replace, preflight)
