"""Which hosts may join a cluster or leave it, and the parameters of the tasks that see to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from clusters.models import Cluster, Profile
from provisioning.cluster_networks import network_problems
from provisioning.cluster_request import CONTROL_PLANES, MOST_HOSTS, host_problem, networks_of
from provisioning.cluster_spec import host_spec, node_address
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.operations import Refused
from provisioning.spec import HostSpec
from provisioning.steps.base import Problem

MOST_CONTROL_PLANES = max(CONTROL_PLANES)


@dataclass(frozen=True)
class Change:
    """Who joins and who leaves. accept_even: an even number of control planes is meant."""

    control_plane: tuple[Host, ...] = ()
    workers: tuple[Host, ...] = ()
    leaving: tuple[Host, ...] = ()
    accept_even: bool = False

    @property
    def joining(self) -> tuple[Host, ...]:
        """Control planes first, then workers."""
        return self.control_plane + self.workers


@dataclass(frozen=True)
class Place:
    """A host's place in its cluster, as a task's parameters keep it."""

    host: HostSpec
    control_plane: bool

    def as_json(self) -> dict[str, Any]:
        """For the task's parameters."""
        h = self.host
        return {
            "id": h.id, "name": h.name, "address": h.address, "index": h.index, "arch": h.arch,
            "control_plane": self.control_plane,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Place:
        """From as_json's."""
        host = HostSpec(
            int(data["id"]), str(data["name"]), str(data["address"]), int(data["index"]),
            str(data["arch"]),
        )  # fmt: skip
        return cls(host, bool(data["control_plane"]))


@dataclass(frozen=True)
class Parties:
    """The parameters of a task that changes the membership."""

    joining: tuple[Place, ...] = ()
    leaving: tuple[Place, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For the task's parameters."""
        return {
            "joining": [place.as_json() for place in self.joining],
            "leaving": [place.as_json() for place in self.leaving],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Parties:
        """From a task's parameters, whatever else these hold."""
        return cls(
            tuple(Place.from_json(place) for place in data.get("joining", ())),
            tuple(Place.from_json(place) for place in data.get("leaving", ())),
        )


def members(cluster: Cluster) -> list[Host]:
    """The cluster's hosts in the order of their places."""
    return list(Host.objects.filter(cluster=cluster).order_by("cluster_index"))


def problems_of(cluster: Cluster, change: Change) -> list[Problem]:
    """Everything that rows can tell against a change of the membership."""
    now = members(cluster)
    problems = [*_strangers(cluster, change, now), *_newcomers(cluster, change, now)]
    problems += _control_planes(cluster, change, now)
    return problems


def parties_of(cluster: Cluster, change: Change) -> Parties:
    """The places of those who join and leave. Raises Refused when the pod network is full."""
    now = members(cluster)
    taken = {host.cluster_index for host in now if host.cluster_index is not None}
    joining = []
    for host in change.joining:
        index = free_index(taken)
        taken.add(index)
        joining.append(Place(host_spec(host, index), host in change.control_plane))
    leaving = tuple(
        Place(host_spec(h, h.cluster_index or 0), h.cluster_role == ClusterRole.CONTROL_PLANE)
        for h in change.leaving
    )
    return Parties(tuple(joining), leaving)


def free_index(taken: Iterable[int]) -> int:
    """A place for a newcomer: after the last one, so that a dead host's pod range rests a while;
    the lowest free one where the numbers run out."""
    used = set(taken)
    after = max(used, default=-1) + 1
    if after < MOST_HOSTS:
        return after
    return next((n for n in range(MOST_HOSTS) if n not in used), after)


def reserve(cluster: Cluster, parties: Parties) -> None:
    """Take the newcomers by compare-and-swap. Raises Refused for one that is taken meanwhile."""
    for place in parties.joining:
        role = ClusterRole.CONTROL_PLANE if place.control_plane else ClusterRole.WORKER
        free = Host.objects.filter(pk=place.host.id, cluster=None)
        if not free.update(cluster=cluster, cluster_role=role, cluster_index=place.host.index):
            what = _("%(host)s has just been taken.") % {"host": place.host.name}
            mend = _("Choose another host.")
            raise Refused([Problem("host_taken", what, mend, place.host.id, "hosts")])
    note_places(cluster)


def note_places(cluster: Cluster) -> None:
    """Keep on the cluster's row who stands where: pictures and the watcher look there."""
    places: dict[str, list[Mapping[str, str]]] = {"control_plane": [], "workers": []}
    for host in members(cluster):
        role = "control_plane" if host.cluster_role == ClusterRole.CONTROL_PLANE else "workers"
        places[role].append({"name": host.name, "address": node_address(host)})
    row = Cluster.objects.select_for_update().get(pk=cluster.pk)
    row.options = {**row.options, "places": places}
    row.save(update_fields=["options"])


def _strangers(cluster: Cluster, change: Change, now: Sequence[Host]) -> list[Problem]:
    return [
        Problem(
            "not_a_member",
            _("%(host)s is not a host of %(cluster)s.") % {"host": host, "cluster": cluster},
            _("Choose one of its hosts."),
            host.pk,
            "host",
        )
        for host in change.leaving
        if host not in now
    ]


def _newcomers(cluster: Cluster, change: Change, now: Sequence[Host]) -> list[Problem]:
    problems = []
    if not change.joining and not change.leaving:
        what, mend = _("No host is chosen."), _("Give at least one host a role.")
        problems.append(Problem("no_host", what, mend, field="hosts"))
    seen: set[int] = set()
    for host in change.joining:
        problem = host_problem(host)
        if problem is None and host.pk in seen:
            what = _("%(host)s is named twice.") % {"host": host.name}
            problem = Problem("host_twice", what, _("Give each host one role."), host.pk, "hosts")
        if problem is not None:
            problems.append(problem)
        seen.add(host.pk)
    count = len(now) + len(change.joining) - len(change.leaving)
    if change.joining:
        problems += network_problems(
            cluster.pod_cidr,
            cluster.service_cidr,
            {host.name: networks_of(host) for host in change.joining},
            count,
        )
    if count > MOST_HOSTS:
        what = _("The cluster would have %(count)d hosts, and takes %(most)d.")
        what %= {"count": count, "most": MOST_HOSTS}
        problems.append(Problem("too_many_hosts", what, _("Add fewer."), field="hosts"))
    return problems


def _control_planes(cluster: Cluster, change: Change, now: Sequence[Host]) -> list[Problem]:
    """Rules of the quorum ("Operating etcd clusters for Kubernetes": an odd number of members)."""
    before = [h for h in now if h.cluster_role == ClusterRole.CONTROL_PLANE]
    leaving = [h for h in change.leaving if h in before]
    if not leaving and not change.control_plane:
        return []
    count = len(before) - len(leaving) + len(change.control_plane)
    if cluster.profile == Profile.LIGHTWEIGHT:
        what = _("A lightweight cluster has one control plane, for good.")
        mend = _("Create a standard cluster, or delete this one.")
        return [Problem("control_planes", what, mend, field="control_plane")]
    if count < 1:
        what = _("It is the last control plane: without it there is no cluster.")
        return [Problem("last_member", what, _("Delete the cluster instead."), field="host")]
    if count > MOST_CONTROL_PLANES:
        what = _("The cluster would have %(count)d control planes; more than %(most)d slow etcd.")
        what %= {"count": count, "most": MOST_CONTROL_PLANES}
        return [Problem("control_planes", what, _("Add workers instead."), field="control_plane")]
    if count % 2 == 0 and not change.accept_even:
        what = _(
            "The cluster would have %(count)d control planes: they survive the loss of %(spare)d, "
            "as %(less)d do, and one more can fail."
        ) % {"count": count, "spare": (count - 1) // 2, "less": count - 1}
        mend = _("Choose an odd number, or confirm that an even one is meant for a while.")
        return [Problem("even", what, mend, field="accept_even")]
    return []
