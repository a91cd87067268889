"""From a cluster's rows and a task's parameters to the spec that the task's recipe works from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from clusters.models import Cluster
from provisioning.cluster_spec import spec_of
from provisioning.membership import Parties, Place
from provisioning.models import Release
from provisioning.releases import release_spec
from provisioning.releases_layout import ReleaseError
from provisioning.spec import ClusterSpec, HostSpec


def operation_spec(cluster: Cluster, kind: str, parameters: Mapping[str, Any]) -> ClusterSpec:
    """The spec of an operation, the same before the launch, while it runs and when it goes on.

    Raises ReleaseError when its release is not ready.
    """
    spec = spec_of(cluster)
    if "release" in parameters:
        release = Release.objects.filter(pk=parameters["release"]).first()
        if release is None:
            raise ReleaseError(_("The release is gone."), hint=_("Add it again under Settings."))
        spec = replace(spec, release=release_spec(release))
    parties = Parties.from_json(parameters)
    gone = {place.host.id for place in parties.leaving}
    known = {host.id for host in spec.hosts}
    new = [place for place in parties.joining if place.host.id not in known]
    spec = replace(
        spec,
        control_plane=_stay(spec.control_plane, gone) + _hosts(new, control_plane=True),
        workers=_stay(spec.workers, gone) + _hosts(new, control_plane=False),
        running=cluster.seen is not None,
        joining=frozenset(place.host.id for place in parties.joining),
        leaving=tuple(place.host for place in parties.leaving),
        leaving_control_plane=frozenset(p.host.id for p in parties.leaving if p.control_plane),
        request={k: v for k, v in parameters.items() if k not in ("joining", "leaving")},
    )
    return replace(spec, expendable=expendable(kind, spec))


def expendable(kind: str, spec: ClusterSpec) -> frozenset[int]:
    """The hosts that an operation goes on without, when they cannot be reached."""
    if kind == "delete" or (kind in ("repair", "restore", "snapshot") and spec.running):
        hosts = spec.touched
    elif kind in ("add_nodes", "remove_node", "replace_node"):
        hosts = spec.staying + spec.leaving
    elif kind == "renew_certificates":
        hosts = spec.workers
    else:
        hosts = ()
    return frozenset(host.id for host in hosts)


def _stay(hosts: tuple[HostSpec, ...], gone: set[int]) -> tuple[HostSpec, ...]:
    return tuple(host for host in hosts if host.id not in gone)


def _hosts(places: list[Place], *, control_plane: bool) -> tuple[HostSpec, ...]:
    return tuple(place.host for place in places if place.control_plane == control_plane)
