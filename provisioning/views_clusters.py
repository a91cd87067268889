"""Pages that create, repair and delete clusters, and hand out kubeconfigs."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from clusters import ending
from clusters.models import Cluster, Origin
from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.downloads import attachment
from console.ui.forms import ConfirmNameForm
from provisioning import clusters, host_actions, kubeconfig
from provisioning.forms_clusters import ClusterForm, KubeconfigForm, digest_of
from provisioning.models import Host, HostState
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError

MOST_HOSTS_SHOWN = 500
AWAY = (HostState.UNREACHABLE, HostState.KEY_CHANGED)  # cannot be worked on now


@requires(GET="clusters.change", POST="clusters.change")
def create(request: HttpRequest) -> HttpResponse:
    """One page that grows: the choices, then the plan, then the launch.

    Nothing that was typed is lost by an error. A launch must be of the plan
    that was shown: after a change the new plan is shown first.
    """
    hosts = Host.objects.select_related("cluster").prefetch_related("cleanups").order_by("name")
    hosts = hosts[:MOST_HOSTS_SHOWN]
    form = ClusterForm(request.POST or None, hosts=hosts)
    plan, digest, changed = None, "", False
    if form.is_bound:
        form.is_valid()
        wanted = form.request()
        digest = digest_of(wanted)
        seen = request.POST.get("reviewed", "")
        launch = request.GET.get("step") == "launch"
        if launch and seen == digest and not form.has_problems:
            try:
                cluster, task = clusters.create_cluster(wanted, _user(request), request)
            except Refused as refused:
                form.show(refused.problems)
            else:
                messages.success(
                    request, _("The creation of %(name)s has begun.") % {"name": cluster.name}
                )
                return redirect("provisioning:task", pk=task.pk)
        else:
            changed = launch and seen != digest
            found = clusters.preview(wanted)
            form.show(found.problems)
            plan = None if form.has_problems else found.plan
    context = {
        "form": form,
        "rows": form.rows(),
        "topology": form.topology(),
        "plan": plan,
        "digest": digest,
        "changed": changed,
        "has_problems": form.is_bound and form.has_problems,
    }
    return render(request, "clusters/create.html", context)


@requires(GET="clusters.change", POST="clusters.change")
def repair(request: HttpRequest, pk: int) -> HttpResponse:
    """The plan of a repair, and its launch."""
    cluster = our_cluster(pk)
    plan, problems, warnings = None, [], []
    if request.method == "POST" and request.GET.get("step") == "check":
        hosts = list(Host.objects.filter(cluster=cluster))
        if hosts:
            task = host_actions.check(hosts, _user(request), request)
            return redirect("provisioning:task", pk=task.pk)
    elif request.method == "POST":
        try:
            task = clusters.repair_cluster(cluster, _user(request), request)
            return redirect("provisioning:task", pk=task.pk)
        except Refused as refused:
            problems = [f"{p.what} {p.mend}" for p in refused.problems]
        except ReleaseError as error:
            problems = [f"{error} {error.hint}"]
    try:
        found = clusters.repair_plan(cluster)
        plan, warnings = found.plan, [f"{p.what} {p.mend}" for p in found.problems]
    except ReleaseError as error:
        problems = problems or [f"{error} {error.hint}"]
    context = {
        "cluster": cluster,
        "plan": plan,
        "problems": problems,
        "warnings": warnings,
        "old_facts": clusters.facts_are_old(cluster),
    }
    return render(request, "clusters/repair.html", context)


@requires(GET="clusters.change", POST="clusters.change")
@confirm_password
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """What will be lost, and the deletion once the name is typed."""
    cluster = our_cluster(pk)
    form = ConfirmNameForm(request.POST or None, expected=cluster.name)
    if form.is_valid():
        try:
            task = clusters.delete_cluster(cluster, _user(request), request)
            return redirect("provisioning:task", pk=task.pk)
        except Refused as refused:
            for problem in refused.problems:
                form.add_error(None, f"{problem.what} {problem.mend}")
    hosts = Host.objects.filter(cluster=cluster).order_by("cluster_index")
    context = {
        "cluster": cluster,
        "form": form,
        "away": [host for host in hosts if host.state in AWAY],
        "object_name": cluster.name,
        "losses": [
            _("Everything that runs in the cluster, and all data that it keeps on its hosts."),
            _("Its certificates: every kubeconfig of this cluster stops working."),
            _("Its snapshots: they cannot be opened any more."),
            *ending.in_words(cluster),
        ],
        "keeps": [
            _("The hosts: %(hosts)s. What was there before is put back, and a rescan proves it.")
            % {"hosts": ", ".join(host.name for host in hosts)}
        ]
        if hosts
        else [],
        "back": reverse("clusters:detail", args=[cluster.pk]),
    }
    return render(request, "clusters/delete.html", context)


@requires(GET="clusters.kubeconfig", POST="clusters.kubeconfig")
@never_cache
@confirm_password
def kubeconfig_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose for how long, and download a kubeconfig with a certificate in one's own name."""
    cluster = our_cluster(pk)
    form = KubeconfigForm(request.POST or None)
    if form.is_valid():
        try:
            issued = kubeconfig.issue(cluster, _user(request), form.cleaned_data["hours"], request)
        except Refused as refused:
            for problem in refused.problems:
                form.add_error(None, f"{problem.what} {problem.mend}")
        else:
            return HttpResponse(
                issued.text,
                content_type="application/yaml",
                headers={
                    "Content-Disposition": attachment(issued.filename),
                    "Cache-Control": "no-store",
                },
            )
    context = {
        "cluster": cluster,
        "form": form,
        "possible": kubeconfig.has_authority(cluster),
        "file": f"{cluster.name}.kubeconfig.yaml",
    }
    return render(request, "clusters/kubeconfig.html", context)


def our_cluster(pk: int) -> Cluster:
    """A cluster of this console's making. Raises Http404 for others: these pages are not theirs."""
    return get_object_or_404(Cluster, pk=pk, origin=Origin.PROVISIONED)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
