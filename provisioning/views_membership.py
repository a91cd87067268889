"""Pages that change who belongs to a cluster: add nodes, remove a node, replace one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from provisioning.cluster_request import CONTROL_PLANES
from provisioning.forms_membership import AddNodesForm, NodeForm, RemoveNodeForm, ReplaceNodeForm
from provisioning.membership import members
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.views_clusters import AWAY, our_cluster
from provisioning.views_review import Review


@requires(GET="clusters.change", POST="clusters.change")
def add_nodes(request: HttpRequest, pk: int) -> HttpResponse:
    """A role for each free host, then the plan, then the launch."""
    cluster = our_cluster(pk)
    form = AddNodesForm(request.POST or None, cluster=cluster)
    review = Review(request, cluster, "add_nodes", form)
    if review.task:
        return redirect("provisioning:task", pk=review.task.pk)
    context = {
        **review.context(),
        "rows": form.rows(),
        "most": max(CONTROL_PLANES),
        "control_planes": _count(members(cluster)),
    }
    return render(request, "clusters/add_nodes.html", context)


@requires(GET="clusters.change", POST="clusters.change")
def remove_node(request: HttpRequest, pk: int) -> HttpResponse:
    """Who leaves and what goes with it, then the plan, then the launch."""
    cluster = our_cluster(pk)
    form = RemoveNodeForm(request.POST or None, cluster=cluster, initial=_named(request))
    review = Review(request, cluster, "remove_node", form)
    if review.task:
        return redirect("provisioning:task", pk=review.task.pk)
    context = {**review.context(), **_leaving(form)}
    return render(request, "clusters/remove_node.html", context)


@requires(GET="clusters.change", POST="clusters.change")
def replace_node(request: HttpRequest, pk: int) -> HttpResponse:
    """Who leaves, dead or alive, and who takes its place; then the plan, then the launch."""
    cluster = our_cluster(pk)
    form = ReplaceNodeForm(request.POST or None, cluster=cluster, initial=_named(request))
    review = Review(request, cluster, "replace_node", form)
    if review.task:
        return redirect("provisioning:task", pk=review.task.pk)
    context = {**review.context(), **_leaving(form, replaced=True)}
    return render(request, "clusters/replace_node.html", context)


def _named(request: HttpRequest) -> dict[str, Any]:
    """The host that the address names, chosen already."""
    return {"host": request.GET.get("host", "")[:20]}


def _leaving(form: NodeForm, *, replaced: bool = False) -> dict[str, Any]:
    """What is said of the host that leaves: what is lost, what stays, whether it is away."""
    host = form.leaving
    if host is None:
        return {"leaving": None}
    losses = [_("What its pods keep on the host itself: emptyDir and local volumes.")]
    if host.cluster_role == ClusterRole.CONTROL_PLANE:
        losses.append(_("Its API server, its etcd member and that member's data."))
        if not replaced:
            losses.append(_fewer(_count(form.members) - 1))
    return {
        "leaving": host,
        "away": host.state in AWAY,
        "losses": losses,
        "keeps": [
            _("Pods with a controller: they are evicted first and start on other nodes."),
            _("The host: what was there before is put back, and a rescan proves it."),
        ],
    }


def _fewer(left: int) -> str:
    """What a cluster with so many control planes survives."""
    if left < 1:
        return _("The cluster: it is its last control plane.")
    values = {"left": left, "spare": (left - 1) // 2}
    return _("One control plane: %(left)d stay, and so many of them may fail: %(spare)d.") % values


def _count(hosts: list[Host]) -> int:
    return sum(host.cluster_role == ClusterRole.CONTROL_PLANE for host in hosts)
