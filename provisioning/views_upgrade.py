"""The page that upgrades a cluster: the choice, the plan, the launch."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from provisioning.forms_upgrade import UpgradeForm
from provisioning.kinds_upgrade import candidates
from provisioning.upgrading import upgrading_to
from provisioning.views_clusters import our_cluster
from provisioning.views_review import Review


@requires(GET="clusters.change", POST="clusters.change")
def upgrade(request: HttpRequest, pk: int) -> HttpResponse:
    """First the plan of what was chosen, then the launch of just that."""
    cluster = our_cluster(pk)
    form = UpgradeForm(request.POST or None, releases=candidates(cluster))
    review = Review(request, cluster, "upgrade", form)
    if review.task:
        return redirect("provisioning:task", pk=review.task.pk)
    context = {
        **review.context(),
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
