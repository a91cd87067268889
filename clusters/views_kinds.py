"""The custom kinds of a cluster: what is watched of them, and the choice which are."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clusters import custom_kinds
from clusters.forms_kinds import KindsForm
from clusters.inventory.discovery import wanted
from clusters.models import Cluster
from clusters.rights import visible_clusters, visible_objects
from console.accounts.models import User
from console.accounts.permissions import requires

SHOWN = 100


def tab_context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The watched custom kinds of a cluster, each with its figures and its first objects."""
    user = cast(User, request.user)
    mine = visible_objects(user).filter(cluster=cluster)
    entries = []
    for kind in custom_kinds.watched(user, cluster):
        of_kind = mine.filter(resource=kind.name)
        objects = list(of_kind.order_by("namespace", "name")[:SHOWN])
        more = kind.number - len(objects)
        entries.append({**vars(kind), "objects": objects, "more": more})
    return {"kinds": entries}


@requires(GET="clusters.change", POST="clusters.change")
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Which kinds to watch. The watcher reads what the cluster offers; this page never waits."""
    cluster = get_object_or_404(visible_clusters(cast(User, request.user)), pk=pk)
    offered = wanted(cluster)
    # A choice of nothing is sent too.
    data = request.POST if request.method == "POST" else None
    form = KindsForm(data, cluster=cluster, offered=offered)
    back = reverse("clusters:tab", args=(cluster.pk, "kinds"))
    if form.is_valid():
        if custom_kinds.choose(cluster, form.cleaned_data["kinds"], request):
            messages.success(request, _("The watcher follows this choice within ten seconds."))
        return redirect(back)
    context = {
        "cluster": cluster,
        "form": form,
        "offered": offered,
        "waiting": offered.read is None,
        "back": back,
    }
    part = "HX-Request" in request.headers and request.method == "GET"
    if part and context["waiting"]:
        return HttpResponse(status=204)
    template = "clusters/kinds_form.html" if part else "clusters/kinds.html"
    return render(request, template, context)
