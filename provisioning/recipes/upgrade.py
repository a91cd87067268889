"""Upgrade: another version of Kubernetes under a cluster that goes on serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioning import versions
from provisioning.facts import Facts
from provisioning.preflight import preflight
from provisioning.recipes import phases as parts
from provisioning.recipes.snapshot import taken
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.actions import Drain, Uncordon
from provisioning.steps.api_ready import ApiReady, FirstObjects
from provisioning.steps.base import Phase, Placed, Problem, Recipe
from provisioning.steps.binaries import Binaries, ControlPlanePrograms
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd import Etcd, etcd_program
from provisioning.steps.layout import is_control_plane, release_files, version_folder
from provisioning.steps.nodes import Node
from provisioning.steps.upgrade import (
    ApiUpgraded,
    EtcdWhole,
    NodeMarks,
    OldPrograms,
    OthersCarryOn,
    UploadPrograms,
    tagged,
)
from provisioning.steps.upgrade_actions import NodeUpgraded, UpgradeCheck
from provisioning.texts import gettext as _

MIB = 1024 * 1024
SPARE = 256 * MIB  # what is left free on a disk that programs are copied to
# Phases that leave every program as it runs.
HARMLESS = ("check", "snapshot", "certificates", "copy")


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """Control planes first, as the Version Skew Policy asks; what can be done before, is.

    Only one host at a time has less than it had. Where there is a single host
    nobody could take its pods: they stay, and run on while its kubelet restarts.
    """
    members, workers = spec.control_plane, spec.workers
    check = (Placed(EtcdWhole(), members, anywhere=True), Placed(UpgradeCheck()))
    tidy = (Placed(OldPrograms(), spec.hosts),)
    one_by_one = Phase(
        "control-plane",
        "Control plane, one host after another",
        _control_plane(spec, members),
        rolling=True,
    )
    return (
        Phase("check", "Check the cluster", check),
        taken(spec),
        parts.certificates(),
        Phase("copy", "Copy the programs", (Placed(UploadPrograms(), spec.hosts),)),
        one_by_one,
        *(
            (Phase("workers", "Workers, one after another", _node(spec, workers), rolling=True),)
            if workers
            else ()
        ),
        _objects(spec),
        *parts.finish(spec),
        Phase("tidy", "Old programs", tidy),
    )


def _control_plane(spec: ClusterSpec, hosts: parts.Hosts) -> tuple[Placed, ...]:
    return (
        Placed(OthersCarryOn(), hosts),
        *_drained(spec, hosts),
        # A load balancer that reloads forgets who is to be left out: it comes first.
        *parts.balancers(spec, hosts),
        *parts.out_of_entry(
            spec,
            hosts,
            Placed(ControlPlanePrograms(), hosts),
            Placed(Etcd(), hosts),
            Placed(ControlPlane(), hosts),
            Placed(ApiReady(), hosts),
            Placed(ApiUpgraded(), hosts),
        ),
        *_switched(spec, hosts),
    )


def _node(spec: ClusterSpec, hosts: parts.Hosts) -> tuple[Placed, ...]:
    return (*_drained(spec, hosts), *_switched(spec, hosts))


def _drained(spec: ClusterSpec, hosts: parts.Hosts) -> tuple[Placed, ...]:
    return (Placed(Drain(), hosts),) if len(spec.hosts) > 1 else ()


def _switched(spec: ClusterSpec, hosts: parts.Hosts) -> tuple[Placed, ...]:
    back = (Placed(Uncordon(), hosts),) if len(spec.hosts) > 1 else ()
    return (
        Placed(Binaries(), hosts),
        Placed(Node(), hosts),
        Placed(NodeUpgraded(), hosts),
        *back,
    )


def _objects(spec: ClusterSpec) -> Phase:
    members = spec.control_plane
    return Phase(
        "objects",
        "Rights and tokens",
        (
            Placed(FirstObjects(), members, anywhere=True),
            Placed(NodeMarks(), members, anywhere=True),
        ),
    )


def upgrade_preflight(spec: ClusterSpec, facts: Mapping[int, Facts]) -> list[Problem]:
    """What speaks against an upgrade by what the hosts tell, besides what any recipe refuses.

    What only the cluster's API knows is asked by the action UpgradeCheck.
    """
    problems = preflight(spec, facts)
    for host in spec.hosts:
        if (known := facts.get(host.id)) is not None:
            problems += _runtime(spec, host, known)
            problems += _etcd(spec, host, known)
            problems += _room(spec, host, known)
    return problems


def _runtime(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    found = facts.packages.get("containerd.io") or facts.packages.get("containerd") or ""
    if versions.containerd_new_enough(spec.release.version, found):
        return
    yield runtime_problem(spec, host.name, found, host.id)


def runtime_problem(spec: ClusterSpec, name: str, found: str, host: int = 0) -> Problem:
    """The words for a containerd that is too old for the release."""
    least = versions.CONTAINERD_MINIMUM.at(versions.minor(spec.release.version))
    return Problem(
        "runtime_too_old",
        _("%(host)s has containerd %(found)s; Kubernetes %(version)s needs %(least)s or newer.")
        % {
            "host": name,
            "found": found,
            "version": tagged(spec.release.version),
            "least": ".".join(map(str, least)),
        },
        _("Upgrade containerd on the host first, with its distribution."),
        host,
    )


def _etcd(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    """The distribution's etcd must be new enough; the release's own comes with it."""
    if not is_control_plane(spec, host) or etcd_program(spec) != "/usr/bin/etcd":
        return
    version = tagged(spec.release.version)
    if any(path.endswith("/etcd") and path.startswith("/opt/kubernetes/") for path in facts.paths):
        yield Problem(
            "etcd_missing",
            _("%(host)s runs the etcd of its release, and the release %(version)s has none.")
            % {"host": host.name, "version": version},
            _("Add the release again with etcd."),
            host.id,
            "release",
        )
        return
    found = facts.packages.get("etcd-server") or facts.packages.get("etcd") or ""
    number = found.partition(":")[2] or found
    try:
        fits = versions.etcd_new_enough(version, number.partition("+")[0].partition("-")[0])
    except ValueError:
        return
    if not fits:
        least = ".".join(map(str, versions.ETCD_MINIMUM.at(versions.minor(version))))
        yield Problem(
            "etcd_too_old",
            _("%(host)s has etcd %(found)s; Kubernetes %(version)s needs %(least)s or newer.")
            % {"host": host.name, "found": found, "version": version, "least": least},
            _("Choose a release that brings its own etcd, or upgrade etcd on the host first."),
            host.id,
        )


def _room(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    """Both versions lie side by side for a while."""
    folder = version_folder(spec)
    kinds = ("binary", "etcd") if is_control_plane(spec, host) else ("binary",)
    size = sum(
        file.size
        for kind in kinds
        for file in release_files(spec, kind)
        if f"{folder}/{file.name}" not in facts.paths
    )
    disk = facts.disk("/opt")
    if size and disk is not None and disk.free < size + SPARE:
        yield Problem(
            "disk",
            _("%(host)s has %(free)d MiB free on %(mount)s; the new programs need %(need)d MiB.")
            % {
                "host": host.name,
                "free": disk.free // MIB,
                "mount": disk.mount,
                "need": (size + SPARE) // MIB,
            },
            _("Free space on it."),
            host.id,
        )


UPGRADE = Recipe("upgrade", "Upgrade the cluster", phases, upgrade_preflight)
