"""The first page: what to do first, what is going on, and what needs a person.

Lives beside the addresses because it looks at every app (console.ui knows none of them).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusters.diagnosis.attention import attention
from clusters.fleet import fleet
from clusters.metrics.latest import totals
from clusters.models import Cluster, ClusterStatus
from clusters.rights import visible_clusters
from console.accounts.models import ApiToken, Role, User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.notices.expiry import THRESHOLDS, radar
from provisioning.attention import waiting_count, waiting_hosts
from provisioning.filters_hosts import FREE
from provisioning.models import Host, Release, ReleaseState, Task, TaskStatus
from provisioning.views_tasks import with_progress
from tenancy.permissions import visible_tenants
from tenancy.tenant_page import own_roles

LIVE = (TaskStatus.QUEUED, TaskStatus.RUNNING)
SHOWN = 8
TROUBLES = 12


@dataclass(frozen=True)
class Stage:
    """One of the first steps: its state ("todo", "busy" or "done"), a sentence, where to go."""

    title: str
    text: str
    state: str
    href: str = ""
    action: str = ""


@requires(GET=SIGNED_IN)
def overview(request: HttpRequest) -> HttpResponse:
    """The first page, whole; htmx asks for its live part again while something runs."""
    if not allowed(request.user, "clusters.view"):
        return render(request, "overview/no_role.html", _without_a_role(request))
    running = list(Task.objects.filter(status__in=LIVE).order_by("id")[:SHOWN])
    clusters = list(visible_clusters(request.user).select_related("figures"))
    used = totals()
    hosts = _hosts()
    stages = _stages(request, running, hosts)
    found = attention(visible_clusters(request.user), TROUBLES + 1)
    ending = radar(request.user, days=THRESHOLDS[0])
    context = {
        "stages": stages if any(stage.state != "done" for stage in stages) else [],
        "running": with_progress(running),
        "recent": with_progress(list(Task.objects.exclude(status__in=LIVE)[:6])),
        "lab_tasks": [task for task in running if task.queue == "lab"],
        "fleet": fleet(clusters, used),
        "cluster_count": len(clusters),
        "statuses": _statuses(clusters),
        "troubles": found[:TROUBLES],
        "more_troubles": len(found) > TROUBLES,
        "hosts": hosts,
        "waiting": waiting_hosts() if hosts["attention"] else [],
        "live": bool(running),
        "ending": ending[:SHOWN],
        "ending_more": max(0, len(ending) - SHOWN),
    }
    part = context["part"] = request.headers.get("HX-Request") == "true"
    return render(request, "overview/_live.html" if part else "overview/overview.html", context)


def _without_a_role(request: HttpRequest) -> dict[str, Any]:
    """What somebody without a platform role has, and who can give more."""
    tokens = ApiToken.objects.filter(user=request.user, revoked=None)  # type: ignore[misc]
    admins = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("username")
    mine = list(visible_tenants(request.user).order_by("name")[: SHOWN + 1])
    roles = own_roles(request.user, mine)
    return {
        "tokens": list(tokens[:SHOWN]),
        "admins": list(admins[:SHOWN]),
        "tenants": [(tenant, roles.get(tenant.pk)) for tenant in mine[:SHOWN]],
        "more_tenants": len(mine) > SHOWN,
    }


def _hosts() -> dict[str, int]:
    """Numbers of hosts: all, free and ready, in a cluster, needing a person."""
    return {
        "all": Host.objects.count(),
        "free": Host.objects.filter(FREE).count(),
        "used": Host.objects.exclude(cluster=None).count(),
        "attention": waiting_count(),
    }


def _statuses(clusters: list[Cluster]) -> list[dict[str, Any]]:
    """How many clusters have each status, in the order of the statuses."""
    found = Counter(cluster.status for cluster in clusters)
    labels = dict(ClusterStatus.choices)
    return [
        {"status": status, "label": f"{found[status]} {labels[status]}"}
        for status in ClusterStatus.values
        if status in found
    ]


def _stages(request: HttpRequest, running: list[Task], hosts: dict[str, int]) -> list[Stage]:
    """What a newcomer does first, each with its state."""
    return [
        _host_stage(request, running, hosts),
        _release_stage(request, running),
        _cluster_stage(request, hosts),
    ]


def _host_stage(request: HttpRequest, running: list[Task], hosts: dict[str, int]) -> Stage:
    title = _("Have hosts")
    ready = hosts["free"] + hosts["used"]
    if ready:
        text = ngettext("%(n)d host is ready.", "%(n)d hosts are ready.", ready) % {"n": ready}
        return Stage(title, text, "done", _page("provisioning:hosts"), _("See hosts"))
    if task := _doing(running, "lab_base", "lab_hosts", "check_hosts"):
        text = _("Hosts on this machine are being prepared.")
        return Stage(title, text, "busy", task, _("Watch it"))
    if hosts["all"]:
        text = _("Hosts are known and none is ready: check them and trust their fingerprints.")
        return Stage(title, text, "todo", _page("provisioning:hosts"), _("See hosts"))
    text = _("Add Linux machines that the console reaches by SSH.")
    href = _page("provisioning:host-add") or _page("provisioning:hosts")
    return Stage(title, text, "todo", _for(request, "hosts.change", href), _("Add hosts"))


def _release_stage(request: HttpRequest, running: list[Task]) -> Stage:
    title = _("Have a Kubernetes release")
    release = Release.objects.filter(state=ReleaseState.READY).first()
    if release is not None:
        text = _("%(version)s is here and checked.") % {"version": release.version}
        return Stage(title, text, "done", _page("provisioning:releases"), _("See releases"))
    if task := _doing(running, "lab_kubernetes", "fetch_release", "import_bundle"):
        text = _("Kubernetes is being fetched or built; this can take some minutes.")
        return Stage(title, text, "busy", task, _("Watch it"))
    text = _("Fetch the official binaries, or bring a bundle where there is no internet.")
    href = _for(request, "releases.change", _page("provisioning:releases"))
    return Stage(title, text, "todo", href, _("Get a release"))


def _cluster_stage(request: HttpRequest, hosts: dict[str, int]) -> Stage:
    title = _("Create a cluster")
    here = _page("clusters:list")
    if Cluster.objects.filter(status__in=(ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)).exists():
        return Stage(title, _("The first cluster is up."), "done", here, _("See clusters"))
    coming = Cluster.objects.filter(status=ClusterStatus.PROVISIONING).first()
    if coming is not None:
        task = Task.objects.filter(cluster=coming).first()
        href = reverse("provisioning:task", args=[task.pk]) if task else here
        text = _("%(name)s is being created.") % {"name": coming.name}
        return Stage(title, text, "busy", href, _("Watch it"))
    ready = hosts["free"] and Release.objects.filter(state=ReleaseState.READY).exists()
    if not ready:
        text = _("As soon as there are hosts and a release: name it, choose hosts, launch.")
        return Stage(title, text, "todo")
    href = _for(request, "clusters.change", _page("provisioning:cluster-create"))
    text = _("Everything is there: name it, choose hosts, look at the plan, launch.")
    return Stage(title, text, "todo", href, _("Create cluster"))


def _doing(running: list[Task], *operations: str) -> str:
    """The page of a task of one of these operations that waits or runs, or nothing."""
    for task in running:
        if task.operation in operations:
            return reverse("provisioning:task", args=[task.pk])
    return ""


def _for(request: HttpRequest, permission: str, href: str) -> str:
    return href if allowed(request.user, permission) else ""


def _page(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
