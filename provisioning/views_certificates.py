"""The page that renews a cluster's certificates: the plan, and the launch."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import User
from console.accounts.permissions import requires
from provisioning import cluster_operations
from provisioning.cluster_plan import PlanView
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.steps.base import Problem
from provisioning.views_clusters import our_cluster


@requires(GET="clusters.change", POST="clusters.change")
def renew(request: HttpRequest, pk: int) -> HttpResponse:
    """What will be made anew and what restarts for it, then the launch."""
    cluster = our_cluster(pk)
    problems: list[Problem] = []
    plan: PlanView | None = None
    try:
        if request.method == "POST":
            user = cast(User, request.user)
            task = cluster_operations.launch(cluster, "renew_certificates", {}, user, request)
            return redirect("provisioning:task", pk=task.pk)
        found = cluster_operations.preview(cluster, "renew_certificates", {})
        problems, plan = found.problems, found.plan
    except Refused as refused:
        problems = refused.problems
    except ReleaseError as error:
        problems = [Problem("release", str(error), error.hint)]
    context = {"cluster": cluster, "plan": plan, "problems": problems}
    return render(request, "clusters/renew.html", context)
