"""The standard cluster: 3 or 5 control planes behind a virtual IP, and 1 or more workers."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.recipes import phases as parts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Recipe


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """As for the lightweight one, with the HA layer; nothing rolls, for nothing runs yet."""
    return (
        parts.certificates(),
        *parts.machines(spec.hosts, spec.control_plane),
        parts.etcd(spec.control_plane),
        parts.control_plane(spec.control_plane),
        *parts.load_balancer(spec, spec.control_plane),
        *parts.programs(spec, spec.hosts),
        parts.api(spec, spec.control_plane),
        parts.nodes(spec.hosts),
        *parts.finish(spec),
    )


CREATE = Recipe("create_standard", "Create a standard cluster", phases, preflight)
