"""Creating, repairing and deleting clusters: the one way that pages and the API both take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterStatus, Origin, Profile
from console.accounts.models import User
from console.audit.record import record
from provisioning import operations, versions
from provisioning.cluster_plan import PlanView, plan_view
from provisioning.cluster_request import ClusterRequest, host_problem, name_taken, problems_of
from provisioning.cluster_spec import (
    DEFAULT_ARCH,
    endpoint_of,
    facts_of,
    new_spec,
)
from provisioning.facts import Facts
from provisioning.material import ClusterMaterial
from provisioning.membership import note_places
from provisioning.models import Host, StepStatus, Task, TaskStep
from provisioning.models_hosts import ClusterRole
from provisioning.operation_spec import operation_spec
from provisioning.operations import Refused
from provisioning.recipes.registry import RECIPES
from provisioning.releases import release_spec
from provisioning.releases_layout import ReleaseError
from provisioning.snapshots import stale_problem
from provisioning.spec import ClusterSpec, ReleaseSpec
from provisioning.steps.base import Problem
from provisioning.upgrading import upgrade_problem

CREATE = {"lightweight": "create_lightweight", "standard": "create_standard"}
ROUTER_IDS = range(1, 256)  # RFC 5798, 5.2.3


@dataclass(frozen=True)
class Preview:
    """What creating would do: the problems, and the plan where there is enough to make one."""

    problems: list[Problem]
    plan: PlanView | None


def preview(request: ClusterRequest) -> Preview:
    """Everything that speaks against a request, and its plan; changes nothing."""
    problems = problems_of(request)
    try:
        spec = _spec(request, problems)
    except ReleaseError as error:  # its files went away just now
        spec = None
        problems.append(Problem("release_incomplete", str(error), error.hint, field="release"))
    except Refused as refused:  # no virtual router id is free
        spec = None
        problems += refused.problems
    if spec is None:
        return Preview(problems, None)
    recipe = RECIPES[CREATE[request.profile]]
    facts = {host.pk: facts for host in request.hosts if (facts := facts_of(host))}
    problems += _fresh(problems, recipe.preflight(spec, facts))
    if problems:
        return Preview(problems, None)
    try:
        return Preview([], plan_view(recipe, spec, facts, {}))
    except ValueError as error:
        # A recipe says in its own words what it misses in a release.
        what = _("No cluster can be made with this release: %(why)s.") % {"why": error}
        mend = _("Choose another release, or add this one again.")
        return Preview([Problem("release_unusable", what, mend, field="release")], None)


def unsuitable(hosts: Iterable[Host]) -> dict[int, Problem]:
    """Why a host cannot be so much as a worker, by its id; the others are not named.

    The release is not chosen yet, so nothing is said of what depends on it.
    """
    found: dict[int, Problem] = {}
    for host in hosts:
        problem, facts = host_problem(host), facts_of(host)
        if problem is None and facts is not None:
            problem = _alone(host, facts)
        if problem is not None:
            found[host.pk] = problem
    return found


def _alone(host: Host, facts: Facts) -> Problem | None:
    """The first thing that a preflight has against one host, whatever the cluster."""
    any_version = ".".join(str(number) for number in versions.NEWEST)
    spec = new_spec(
        name="any",
        profile=Profile.LIGHTWEIGHT,
        release=ReleaseSpec(f"v{any_version}.0", facts.arch, (), "", ""),
        control_plane=(),
        workers=(host,),
        pod_cidr="",
        service_cidr="",
        options={},
    )
    problems = RECIPES[CREATE[Profile.LIGHTWEIGHT]].preflight(spec, {host.pk: facts})
    return next((p for p in problems if p.host == host.pk), None)


def create_cluster(
    request: ClusterRequest, user: User | None, http: HttpRequest | None = None
) -> tuple[Cluster, Task]:
    """Reserve the hosts and launch the task that makes them a cluster, in one transaction.

    Raises Refused with every problem, also when somebody took a host or the
    name at the same moment; then nothing is changed.
    """
    found = preview(request)
    if found.problems:
        raise Refused(found.problems)
    try:
        with transaction.atomic():
            cluster = _cluster_row(request)
            _reserve(cluster, request)
            note_places(cluster)
            record("cluster.created", cluster, request=http, actor=user, after=_told(request))
            task = operations.launch(
                CREATE[request.profile],
                title=_("Create cluster %(name)s") % {"name": cluster.name},
                user=user,
                parameters={"cluster": cluster.pk},
                cluster=cluster,
                request=http,
            )
    except IntegrityError:
        if Cluster.objects.filter(name=request.name).exists():
            raise Refused([name_taken(request.name)]) from None
        if request.profile != Profile.STANDARD:
            raise
        # Only where transactions run side by side (PostgreSQL): each saw the same id free.
        what = _("Another cluster has taken the same virtual router id at the same moment.")
        raise Refused([Problem("router_id", what, _("Try again: the next one is free."))]) from None
    return cluster, task


def repair_plan(cluster: Cluster) -> Preview:
    """What a repair would do, by the facts of the last check. Raises ReleaseError."""
    spec = operation_spec(cluster, "repair", {})
    facts: dict[int, Facts] = {}
    for host in Host.objects.filter(cluster=cluster):
        known = facts_of(host)
        if known is not None:
            facts[host.pk] = known
    recipe = RECIPES["repair"]
    problems = recipe.preflight(spec, facts)
    return Preview(problems, plan_view(recipe, spec, facts, dict(ClusterMaterial(cluster))))


def repair_cluster(cluster: Cluster, user: User | None, http: HttpRequest | None = None) -> Task:
    """Launch the run of the plan once more. Raises Refused when the cluster is busy or going."""
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=cluster.pk)
        refuse_unless_ours(cluster)
        if cluster.status == ClusterStatus.DELETING:
            raise Refused([_problem_deleting(cluster)])
        if (problem := upgrade_problem(cluster) or stale_problem(cluster)) is not None:
            raise Refused([problem])
        before = cluster.status
        if cluster.status == ClusterStatus.FAILED:
            cluster.set_status(ClusterStatus.PROVISIONING)
        record("cluster.repaired", cluster, request=http, actor=user, before={"status": before})
        return operations.launch(
            "repair",
            title=_("Repair cluster %(name)s") % {"name": cluster.name},
            user=user,
            parameters={"cluster": cluster.pk},
            cluster=cluster,
            request=http,
        )


def delete_cluster(cluster: Cluster, user: User | None, http: HttpRequest | None = None) -> Task:
    """Launch the task that puts the hosts back. Raises Refused when the cluster is busy."""
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=cluster.pk)
        refuse_unless_ours(cluster)
        before = {
            "status": cluster.status,
            "version": cluster.version,
            "endpoint": cluster.endpoint,
            "hosts": list(Host.objects.filter(cluster=cluster).values_list("name", flat=True)),
        }
        cluster.set_status(ClusterStatus.DELETING)
        record("cluster.deleted", cluster, request=http, actor=user, before=before)
        return operations.launch(
            "delete",
            title=_("Delete cluster %(name)s") % {"name": cluster.name},
            user=user,
            parameters={"cluster": cluster.pk},
            cluster=cluster,
            request=http,
        )


def facts_are_old(cluster: Cluster) -> bool:
    """Whether a host was last looked at before a task changed it for the last time."""
    changed = (
        TaskStep.objects.filter(
            task__cluster=cluster, status__in=(StepStatus.CHANGED, StepStatus.FAILED)
        )
        .exclude(phase__in=("preflight", "after"))
        .aggregate(last=Max("ended"))["last"]
    )
    hosts = Host.objects.filter(cluster=cluster)
    if changed is None:
        return hosts.filter(facts_at=None).exists()
    return hosts.exclude(facts_at__gte=changed).exists()


def running_task(cluster: Cluster) -> Task | None:
    """The cluster's task that waits or runs, if there is one."""
    unended = Task.objects.filter(cluster=cluster, ended=None)
    return unended.order_by("-id").first()


def operable(cluster: Cluster) -> bool:
    """Whether operations may be offered: created here, finished, and no task waits or runs."""
    if cluster.origin != Origin.PROVISIONED or cluster.seen is None:
        return False
    moving = (ClusterStatus.PROVISIONING, ClusterStatus.DELETING)
    return cluster.status not in moving and running_task(cluster) is None


def _spec(request: ClusterRequest, problems: list[Problem]) -> ClusterSpec | None:
    """The spec to look at; None without a usable release and a type that is there."""
    if request.release is None or any(p.field in ("release", "profile") for p in problems):
        return None
    return new_spec(
        name=request.name,
        profile=request.profile,
        release=release_spec(request.release),
        control_plane=request.control_plane,
        workers=request.workers,
        pod_cidr=request.pod_cidr,
        service_cidr=request.service_cidr,
        options=request.options,
        vip=request.vip if request.profile == Profile.STANDARD else "",
        router_id=free_router_id() if request.profile == Profile.STANDARD else 0,
    )


def free_router_id(heard: Iterable[int] = ()) -> int:
    """A VRRP router id that no cluster of this console has and that was not heard.

    High ones first: other people's keepalived has 50 and 51, as its examples
    do. Raises Refused when all 255 are taken.
    """
    taken = set(Cluster.objects.exclude(router_id=None).values_list("router_id", flat=True))
    free = [n for n in ROUTER_IDS if n not in taken and n not in set(heard)]
    if not free:
        what = _("All 255 virtual router ids are taken.")
        raise Refused([Problem("router_id", what, _("Delete a standard cluster first."))])
    return max(free)


def _fresh(known: list[Problem], more: list[Problem]) -> list[Problem]:
    """Those of `more` that are about another field or host than what is known already."""
    hosts = {p.host for p in known if p.host}
    fields = {p.field for p in known if not p.host}
    return [p for p in more if p.host not in hosts and p.field not in fields]


def _cluster_row(request: ClusterRequest) -> Cluster:
    assert request.release is not None, "preview refuses a request without a release"
    options: dict[str, Any] = {
        **request.options,
        "arch": request.release.arch or DEFAULT_ARCH,
    }
    standard = request.profile == Profile.STANDARD
    return Cluster.objects.create(
        name=request.name,
        origin=Origin.PROVISIONED,
        profile=request.profile,
        endpoint=endpoint_of(request.control_plane[0], request.vip if standard else ""),
        vip=request.vip if standard else None,
        router_id=free_router_id() if standard else None,
        version=request.release.version,
        pod_cidr=request.pod_cidr,
        service_cidr=request.service_cidr,
        options=options,
        status=ClusterStatus.PROVISIONING,
    )


def _reserve(cluster: Cluster, request: ClusterRequest) -> None:
    """Take each host by compare-and-swap. Raises Refused naming those that are taken meanwhile."""
    taken = []
    for index, host in enumerate(request.hosts):
        first = index < len(request.control_plane)
        role = ClusterRole.CONTROL_PLANE if first else ClusterRole.WORKER
        free = Host.objects.filter(pk=host.pk, cluster=None)
        if not free.update(cluster=cluster, cluster_role=role, cluster_index=index):
            taken.append(host)
    if taken:
        raise Refused([_just_taken(host) for host in taken])


def _just_taken(host: Host) -> Problem:
    now = Host.objects.select_related("cluster").filter(pk=host.pk).first()
    if now is None:
        what = _("%(host)s has just been removed.") % {"host": host.name}
    else:
        what = _("%(host)s has just been taken for the cluster %(cluster)s.") % {
            "host": host.name,
            "cluster": now.cluster,
        }
    return Problem("host_taken", what, _("Choose another host."), host.pk, "hosts")


def refuse_unless_ours(cluster: Cluster) -> None:
    """Raise Refused for a cluster of somebody else's making, and for one whose task runs."""
    if cluster.origin != Origin.PROVISIONED:
        what = _("%(cluster)s was not created by this console.") % {"cluster": cluster.name}
        raise Refused([Problem("not_ours", what, _("Manage it where it was created."))])
    if operations.busy(cluster):
        what = _("A task of %(cluster)s is running.") % {"cluster": cluster.name}
        raise Refused([Problem("busy", what, _("Wait until it has ended, or cancel it."))])


def _problem_deleting(cluster: Cluster) -> Problem:
    what = _("%(cluster)s is being deleted.") % {"cluster": cluster.name}
    return Problem("deleting", what, _("Retry the deletion instead."))


def _told(request: ClusterRequest) -> dict[str, Any]:
    """The request as the audit event keeps it."""
    plain = replace(request, network_manifest="")
    return {
        "type": plain.profile,
        "release": str(plain.release),
        "control_plane": [host.name for host in plain.control_plane],
        "workers": [host.name for host in plain.workers],
        "pod_cidr": plain.pod_cidr,
        "service_cidr": plain.service_cidr,
        "network": plain.network,
        "vip": plain.vip,
    }
