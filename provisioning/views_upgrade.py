"""The page that upgrades a cluster: the choice, the plan, the launch."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.accounts.permissions import requires
from provisioning import cluster_operations
from provisioning.cluster_plan import PlanView
from provisioning.forms_upgrade import UpgradeForm
from provisioning.kinds_upgrade import candidates
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.steps.base import Problem
from provisioning.upgrading import upgrading_to
from provisioning.views_clusters import our_cluster


@requires(GET="clusters.change", POST="clusters.change")
def upgrade(request: HttpRequest, pk: int) -> HttpResponse:
    """First the plan of what was chosen, then the launch of just that."""
    cluster = our_cluster(pk)
    form = UpgradeForm(request.POST or None, releases=candidates(cluster))
    problems: list[Problem] = []
    plan: PlanView | None = None
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        chosen = f"{values['release'].pk}"
        launch = request.GET.get("step") == "launch" and request.POST.get("reviewed") == chosen
        try:
            if launch:
                user = cast(User, request.user)
                task = cluster_operations.launch(cluster, "upgrade", values, user, request)
                return redirect("provisioning:task", pk=task.pk)
            found = cluster_operations.preview(cluster, "upgrade", values)
            problems, plan = found.problems, found.plan
        except Refused as refused:
            problems = refused.problems
        except ReleaseError as error:
            problems = [Problem("release", str(error), error.hint)]
    context = {
        "cluster": cluster,
        "form": form,
        "plan": plan,
        "problems": problems,
        "reviewed": form.cleaned_data["release"].pk if plan else "",
        "begun": upgrading_to(cluster),
        "possible": bool(form.fields["release"].queryset),  # type: ignore[attr-defined]
        "steps": _steps(),
    }
    return render(request, "clusters/upgrade.html", context)


def _steps() -> list[str]:
    return [
        _("The cluster is asked whether it may be upgraded; nothing has changed yet."),
        _("A snapshot of etcd is taken."),
        _("The new programs are copied to all hosts, beside those that run."),
        _("Control planes follow one after another; clients go on through the others."),
        _("Workers follow one after another: drained, switched, Ready again."),
    ]
