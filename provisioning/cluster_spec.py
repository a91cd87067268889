"""From rows to the plain data that recipes work from."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterStatus
from provisioning.facts import Facts, FactsError
from provisioning.models import Host, Release
from provisioning.models_hosts import ClusterRole
from provisioning.releases import release_spec
from provisioning.releases_layout import ReleaseError
from provisioning.spec import ClusterSpec, HostSpec, ReleaseSpec
from provisioning.steps.haproxy import ENTRY_PORT

API_PORT = 6443
DEFAULT_ARCH = "amd64"


def spec_of(cluster: Cluster) -> ClusterSpec:
    """The spec of a cluster that is in the database.

    Raises ReleaseError when its release is no longer ready; a cluster that is
    being deleted needs no files.
    """
    hosts = list(Host.objects.filter(cluster=cluster).order_by("cluster_index"))
    arch = str(cluster.options.get("arch", DEFAULT_ARCH))
    return ClusterSpec(
        id=cluster.pk,
        name=cluster.name,
        profile=cluster.profile,
        release=_release(cluster, arch),
        control_plane=_with_role(hosts, ClusterRole.CONTROL_PLANE),
        workers=_with_role(hosts, ClusterRole.WORKER),
        pod_cidr=cluster.pod_cidr,
        service_cidr=cluster.service_cidr,
        endpoint=cluster.endpoint,
        vip=cluster.vip or "",
        router_id=cluster.router_id or 0,
        options=recipe_options(cluster.options),
    )


def new_spec(
    *,
    name: str,
    profile: str,
    release: ReleaseSpec,
    control_plane: Sequence[Host],
    workers: Sequence[Host],
    pod_cidr: str,
    service_cidr: str,
    options: Mapping[str, Any],
    vip: str = "",
    router_id: int = 0,
) -> ClusterSpec:
    """The spec of a cluster that does not exist yet (id 0), for its plan and its preflight."""
    places = places_of([*control_plane, *workers])
    split = len(control_plane)
    return ClusterSpec(
        id=0,
        name=name,
        profile=profile,
        release=release,
        control_plane=tuple(places[:split]),
        workers=tuple(places[split:]),
        pod_cidr=pod_cidr,
        service_cidr=service_cidr,
        endpoint=endpoint_of(control_plane[0], vip) if control_plane else "",
        vip=vip,
        router_id=router_id,
        options=recipe_options(options),
    )


def places_of(hosts: Iterable[Host]) -> list[HostSpec]:
    """The hosts with their places in the order given: 0, 1, 2, ..."""
    return [host_spec(host, index) for index, host in enumerate(hosts)]


def host_spec(host: Host, index: int) -> HostSpec:
    """One host as a recipe sees it."""
    facts = facts_of(host)
    arch = facts.arch if facts else ""
    return HostSpec(host.pk, host.name, node_address(host), index, arch or DEFAULT_ARCH)


def node_address(host: Host) -> str:
    """The IPv4 address that other hosts reach it by; the host's own spelling when none is known.

    A host that is reached by a name or by IPv6 is asked for through the IPv4
    address of the interface of its default route.
    """
    if _is_ipv4(host.address):
        return host.address
    facts = facts_of(host)
    for address in facts.addresses if facts else ():
        if address.interface == facts.default_interface and _is_ipv4(address.address):  # type: ignore[union-attr]
            return address.address
    return host.address


def endpoint_of(host: Host, vip: str = "") -> str:
    """The way in: HAProxy behind the virtual IP, or the API server of the only control plane."""
    return f"https://{vip}:{ENTRY_PORT}" if vip else f"https://{node_address(host)}:{API_PORT}"


def facts_of(host: Host) -> Facts | None:
    """The host's last known facts; None when it was never checked."""
    if not host.facts:
        return None
    try:
        return Facts.from_json(json.dumps(host.facts))
    except FactsError:
        return None


def recipe_options(options: Mapping[str, Any]) -> dict[str, object]:
    """The cluster's options without what only the console uses."""
    own = ("arch", "places", "upgrading")
    return {key: value for key, value in options.items() if key not in own}


def _release(cluster: Cluster, arch: str) -> ReleaseSpec:
    try:
        release = Release.objects.get(version=cluster.version, arch=arch)
        return release_spec(release)
    except (Release.DoesNotExist, ReleaseError) as error:
        if cluster.status == ClusterStatus.DELETING:
            return ReleaseSpec(cluster.version, arch, (), "", "")
        if isinstance(error, ReleaseError):
            raise
        raise ReleaseError(
            _("The console has no release %(version)s (%(arch)s) for the cluster %(name)s.")
            % {"version": cluster.version, "arch": arch, "name": cluster.name},
            hint=_("Add the release again under Settings, Releases."),
        ) from None


def _with_role(hosts: Iterable[Host], role: ClusterRole) -> tuple[HostSpec, ...]:
    return tuple(host_spec(h, h.cluster_index or 0) for h in hosts if h.cluster_role == role)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
