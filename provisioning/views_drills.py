"""The page that rehearses a failure, and the tab with what earlier drills measured."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, Origin, Profile
from clusters.tabs import OPERATIONS, Tab, registry
from console.accounts.permissions import allowed, requires
from provisioning.clusters import operable
from provisioning.forms_operations import OperationForm
from provisioning.models_drills import Drill, DrillTarget
from provisioning.views_clusters import our_cluster
from provisioning.views_review import Review

SHOWN = 50


class DrillForm(OperationForm):
    """What to stop."""

    target = forms.ChoiceField(
        label=_("Stop"),
        choices=DrillTarget.choices,
        initial=DrillTarget.HAPROXY,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )


@requires(GET="clusters.change", POST="clusters.change")
def drill(request: HttpRequest, pk: int) -> HttpResponse:
    """First what would happen, then the launch of just that."""
    cluster = our_cluster(pk)
    form = DrillForm(request.POST or None)
    review = Review(request, cluster, "drill", form)
    if review.task:
        return redirect("provisioning:task", pk=review.task.pk)
    return render(request, "clusters/drill.html", review.context())


def tab_context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The drills of a cluster, newest first."""
    drills = Drill.objects.filter(cluster=cluster).select_related("task")
    possible = operable(cluster) and allowed(request.user, "clusters.change")
    return {"drills": drills[:SHOWN], "possible": possible}


def _shown(cluster: Cluster) -> bool:
    return cluster.profile == Profile.STANDARD and cluster.origin == Origin.PROVISIONED


def register() -> None:
    """Add the tab to the cluster's page."""
    registry.add_tab(
        Tab(
            "drills", _("HA drills"), "clusters.view", "clusters/tab_drills.html", tab_context,
            order=28, group=OPERATIONS, shown=_shown,
            count=lambda c: Drill.objects.filter(cluster=c).count(),
        )
    )  # fmt: skip
