"""The page that applies manifests: text or file, what would change, and the apply."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from clusters import access
from clusters.forms_manifests import ManifestsForm
from clusters.kube import KubeError
from clusters.kube.manifests import Wish, in_order
from clusters.manifest_apply import IN_REQUEST, Tally, in_request
from clusters.operate import user_of
from clusters.rights import may_here_or_403, visible_clusters
from console.accounts.permissions import requires


@requires(GET="clusters.operate", POST="clusters.operate")
def manifests(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the form. POST step=review: a dry run; step=apply: the apply, object by object.

    More than 20 objects become a task: the page then says what they are and
    offers it (provisioning.views_manifests).
    """
    cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
    context: dict[str, Any] = {"cluster": cluster, "no_access": access.problem(cluster)}
    may_here_or_403(request.user, "clusters.operate", cluster)
    if request.method != "POST":
        return _page(request, {**context, "form": ManifestsForm()})
    form = ManifestsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, {**context, "form": form.carried()})
    form = form.carried()
    if len(form.manifests) > IN_REQUEST:
        return _page(request, {**context, "form": form, "many": in_order(form.manifests)})
    apply = request.GET.get("step") == "apply"
    wish = Wish(form.cleaned_data["namespace"], form.cleaned_data["force"], dry_run=not apply)
    try:
        outcomes = in_request(
            cluster, form.manifests, wish, user=user_of(request), request=request
        )  # fmt: skip
    except KubeError as error:
        return _page(request, {**context, "form": form, "error": error})
    tally = Tally.of(outcomes)
    if apply and not tally.failed:
        messages.success(request, _("Everything was applied."))
    more = {"outcomes": outcomes, "tally": tally, "applied": apply}
    return _page(request, {**context, "form": form, **more})


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render(request, "operations/manifests.html", context)
