"""What somebody asks for when creating a cluster, and everything that speaks against it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clusters.models import Cluster, Profile, dns_label
from provisioning.cluster_networks import POD_CIDR, SERVICE_CIDR, network_problems
from provisioning.cluster_spec import facts_of
from provisioning.models import Host, HostState, Release, ReleaseState
from provisioning.releases import missing_files
from provisioning.steps.base import Problem

ROUTED = "routed"
MANIFEST = "manifest"
MANIFEST_LIMIT = 1024 * 1024
CONTROL_PLANES = (3, 5)  # of a standard cluster: odd, and more than five slow etcd down
MOST_HOSTS = 250  # of one cluster: each has a /24 of the pod network


@dataclass(frozen=True)
class ClusterRequest:
    """A cluster as it is asked for; the hosts in the order of their places."""

    name: str
    profile: str
    release: Release | None
    control_plane: tuple[Host, ...]
    workers: tuple[Host, ...]
    pod_cidr: str = POD_CIDR
    service_cidr: str = SERVICE_CIDR
    network: str = ROUTED
    network_manifest: str = ""
    schedule_on_control_plane: bool = True
    vip: str = ""

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Control plane first, then workers."""
        return self.control_plane + self.workers

    @property
    def options(self) -> dict[str, object]:
        """The recipe's options."""
        options: dict[str, object] = {
            "network": self.network,
            "schedule_on_control_plane": self.schedule_on_control_plane,
        }
        if self.network == MANIFEST:
            options["network_manifest"] = self.network_manifest
        return options


def problems_of(request: ClusterRequest) -> list[Problem]:
    """What rows alone can tell; what facts tell is the preflight's part."""
    problems = _name_problems(request.name)
    problems += _profile_problems(request)
    problems += _release_problems(request.release)
    problems += _placement_problems(request)
    problems += [p for host in request.hosts if (p := host_problem(host))]
    problems += network_problems(
        request.pod_cidr,
        request.service_cidr,
        {host.name: networks_of(host) for host in request.hosts},
        len(request.hosts),
    )
    problems += _plugin_problems(request)
    problems += _vip_problems(request)
    return problems


def host_problem(host: Host) -> Problem | None:
    """Why a host cannot be chosen at all; None when its facts may be looked at."""
    if host.cluster is not None:
        return Problem(
            "host_taken",
            _("%(host)s is already in the cluster %(cluster)s.")
            % {"host": host.name, "cluster": host.cluster.name},
            _("Choose another host, or delete that cluster first."),
            host.pk,
            "hosts",
        )
    if host.state != HostState.READY:
        return Problem(
            "host_not_ready",
            _("%(host)s is not ready: %(state)s.")
            % {"host": host.name, "state": host.get_state_display()},
            host.state_reason or _("Check the host on its page first."),
            host.pk,
            "hosts",
        )
    if remains := [row.cluster_name for row in host.cleanups.all()]:
        return Problem(
            "host_remains",
            _("%(host)s still has what is left of %(clusters)s: it was away when it left.")
            % {"host": host.name, "clusters": ", ".join(remains)},
            _("Clean it up first, on its page."),
            host.pk,
            "hosts",
        )
    if facts_of(host) is None:
        return Problem(
            "host_unchecked",
            _("Nothing is known about %(host)s yet.") % {"host": host.name},
            _("Check the host on its page first."),
            host.pk,
            "hosts",
        )
    return None


def networks_of(host: Host) -> list[str]:
    """The networks that a host is in: its own address, and what its interfaces have.

    The bridge of pods is none: it lies in the pod network by its nature.
    """
    facts = facts_of(host)
    known = facts.addresses if facts else ()
    found = [f"{a.address}/{a.prefix}" for a in known if a.interface not in ("lo", "cni0")]
    if not any(address.address == host.address for address in known):
        found.append(host.address)
    return found


def _name_problems(name: str) -> list[Problem]:
    try:
        dns_label(name)
    except ValidationError as error:
        what = _("“%(name)s” cannot be a cluster's name.") % {"name": name[:80]}
        if not name:
            what = _("The cluster has no name.")
        return [Problem("name_invalid", what, " ".join(error.messages), field="name")]
    if Cluster.objects.filter(name=name).exists():
        return [name_taken(name)]
    return []


def name_taken(name: str) -> Problem:
    """The problem of a name that another cluster has."""
    return Problem(
        "name_taken",
        _("There is a cluster named %(name)s already.") % {"name": name},
        _("Choose another name."),
        field="name",
    )


def _profile_problems(request: ClusterRequest) -> list[Problem]:
    if request.profile in (Profile.LIGHTWEIGHT, Profile.STANDARD):
        return []
    what = _("“%(type)s” is no type of cluster.") % {"type": request.profile[:40]}
    mend = _("Choose lightweight or standard.")
    return [Problem("profile", what, mend, field="profile")]


def _release_problems(release: Release | None) -> list[Problem]:
    if release is None:
        return [
            Problem(
                "release_unknown",
                _("There is no such release on this console."),
                _("Choose one that is ready, or add it under Settings, Releases."),
                field="release",
            )
        ]
    if release.state != ReleaseState.READY:
        return [
            Problem(
                "release_not_ready",
                _("The release %(release)s is not ready: %(state)s.")
                % {"release": release, "state": release.get_state_display()},
                _("Wait until it is ready, or choose another."),
                field="release",
            )
        ]
    if missing := missing_files(release):
        return [
            Problem(
                "release_incomplete",
                _("Files of %(release)s are missing on the console: %(names)s.")
                % {"release": release, "names": ", ".join(missing[:5])},
                _("Delete the release and add it again."),
                field="release",
            )
        ]
    return []


def _control_plane_problems(request: ClusterRequest) -> list[Problem]:
    """How many control planes there may be, and that a standard cluster has a worker."""
    count, problems = len(request.control_plane), []
    if request.profile == Profile.STANDARD:
        if count not in CONTROL_PLANES:
            what = _("A standard cluster has 3 or 5 control planes, and %(count)d are chosen.")
            if count and count % 2 == 0:
                what += " " + _("An even number survives no more failures than one less.")
            problems.append(
                Problem(
                    "control_plane_count",
                    what % {"count": count},
                    _("Give three or five hosts the role control plane."),
                    field="control_plane",
                )
            )
        if not request.workers:
            problems.append(
                Problem(
                    "no_worker",
                    _("A standard cluster needs a worker: its control planes carry no workloads."),
                    _("Give one more host the role worker."),
                    field="workers",
                )
            )
    elif count != 1:
        problems.append(
            Problem(
                "control_plane_count",
                _("A lightweight cluster has exactly one control plane, and %(count)d are chosen.")
                % {"count": count},
                _("Give one host the role control plane."),
                field="control_plane",
            )
        )
    return problems


def _vip_problems(request: ClusterRequest) -> list[Problem]:
    """What rows tell of a virtual IP; the subnet is the preflight's, the network's own answer the
    task's part."""
    if request.profile != Profile.STANDARD:
        return []
    if not request.vip:
        what, mend = (
            _("The virtual IP is missing."),
            _("Choose a free address of the hosts' network."),
        )
        return [Problem("vip_missing", what, mend, field="vip")]
    try:
        ipaddress.IPv4Address(request.vip)
    except ValueError:
        what = _("“%(vip)s” is no IPv4 address.") % {"vip": request.vip[:60]}
        return [Problem("vip_invalid", what, _("Write it as 10.0.0.100."), field="vip")]
    other = Cluster.objects.filter(vip=request.vip).first()
    if other is not None:
        what = _("%(vip)s is the virtual IP of the cluster %(name)s.")
        what %= {"vip": request.vip, "name": other.name}
        return [Problem("vip_taken", what, _("Choose another address."), field="vip")]
    host = Host.objects.filter(address=request.vip).first()
    if host is not None:
        what = _("%(vip)s is the address of the host %(name)s.")
        what %= {"vip": request.vip, "name": host.name}
        return [Problem("vip_taken", what, _("Choose another address."), field="vip")]
    return []


def _placement_problems(request: ClusterRequest) -> list[Problem]:
    problems = _control_plane_problems(request)
    if len(request.hosts) > MOST_HOSTS:
        problems.append(
            Problem(
                "too_many_hosts",
                _("%(count)d hosts are chosen, and a cluster takes %(most)d.")
                % {"count": len(request.hosts), "most": MOST_HOSTS},
                _("Choose fewer workers."),
                field="workers",
            )
        )
    for host in _twice(request.hosts):
        problems.append(
            Problem(
                "host_twice",
                _("%(host)s is named twice.") % {"host": host.name},
                _("Give each host one role."),
                host.pk,
                "hosts",
            )
        )
    # Of a standard cluster without workers it was said above.
    idle = not request.workers and not request.schedule_on_control_plane
    if idle and request.control_plane and request.profile != Profile.STANDARD:
        problems.append(
            Problem(
                "nowhere_to_run",
                _("Without workers nothing could run in this cluster."),
                _("Add a worker, or let the control plane run workloads."),
                field="schedule_on_control_plane",
            )
        )
    return problems


def _twice(hosts: Iterable[Host]) -> list[Host]:
    seen: set[int] = set()
    twice: dict[int, Host] = {}
    for host in hosts:
        if host.pk in seen:
            twice[host.pk] = host
        seen.add(host.pk)
    return list(twice.values())


def _plugin_problems(request: ClusterRequest) -> list[Problem]:
    if request.network == ROUTED:
        return []
    if request.network != MANIFEST:
        what = _("“%(plugin)s” is no network plug-in.") % {"plugin": request.network[:40]}
        return [Problem("network", what, _("Choose routed or manifest."), field="network")]
    text = request.network_manifest
    if not text.strip():
        what = _("The network plug-in's manifest is missing.")
        mend = _("Paste the YAML that the plug-in's makers publish.")
    elif len(text.encode()) > MANIFEST_LIMIT:
        what = _("The manifest is larger than 1 MiB.")
        mend = _("Leave out what the network does not need.")
    elif "\nkind:" not in f"\n{text}" or "\napiVersion:" not in f"\n{text}":
        what = _("The manifest holds no Kubernetes object.")
        mend = _("It is YAML with apiVersion and kind in each document.")
    else:
        return []
    return [Problem("network_manifest", what, mend, field="network_manifest")]
