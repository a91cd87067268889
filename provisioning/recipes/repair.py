"""Repair: the plan once more, on a cluster that may be half alive."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.recipes import lightweight, standard
from provisioning.recipes import phases as parts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.etcd import EtcdUp


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """The creation's phases; where several control planes run, they change one after another.

    A creation that never came to its end goes on as one: there is nothing yet
    that must not be interrupted.
    """
    if spec.profile == "lightweight":
        return lightweight.phases(spec)
    if not spec.running:
        return standard.phases(spec)
    members = spec.control_plane
    return (
        parts.certificates(),
        *parts.machines(spec.hosts, members),
        # Members that stand still start together: alone none of them would find a quorum.
        Phase("etcd-up", "etcd", (Placed(EtcdUp(), members),), follows=True),
        *parts.one_by_one(spec, members),
        *parts.programs(spec, spec.hosts),
        parts.api(spec, members),
        parts.nodes(spec.hosts),
        *parts.finish(spec),
    )


REPAIR = Recipe("repair", "Repair the cluster", phases, preflight)
