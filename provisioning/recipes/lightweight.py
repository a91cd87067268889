"""The lightweight cluster: one control plane that also runs workloads, and 0 or more workers."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.recipes import phases as parts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Recipe


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """The phases of provisioning.md; docs/decisions/0006 says why in this order."""
    return (
        parts.certificates(),
        *parts.machines(spec.hosts, spec.control_plane),
        parts.etcd(spec.control_plane),
        parts.control_plane(spec.control_plane),
        *parts.programs(spec, spec.hosts),
        parts.api(spec, spec.control_plane),
        parts.nodes(spec.hosts),
        *parts.finish(spec),
    )


CREATE = Recipe("create_lightweight", "Create a lightweight cluster", phases, preflight)
