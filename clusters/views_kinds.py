"""The custom kinds of a cluster: what is watched of them, and the choice which are."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from clusters.forms_kinds import KindsForm
from clusters.inventory.discovery import wanted
from clusters.inventory.kinds import Kind
from clusters.models import Cluster, Health, WatchedKind
from clusters.rights import visible_clusters, visible_objects
from console.accounts.models import User
from console.accounts.permissions import requires
from console.audit.record import record

SHOWN = 100


def tab_context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The watched custom kinds of a cluster, each with its figures and its first objects."""
    mine = visible_objects(cast(User, request.user)).filter(cluster=cluster)
    watched = list(cluster.watched_kinds.select_related("wanted_by"))
    names = [row.as_kind.resource for row in watched]
    bad = Q(health__in=(Health.WARN, Health.BAD))
    figures = {
        row["resource"]: row
        for row in mine.filter(resource__in=names)
        .order_by()
        .values("resource")
        .annotate(number=Count("id"), troubled=Count("id", filter=bad))
    }
    entries = []
    for row, name in zip(watched, names, strict=True):
        found = figures.get(name, {"number": 0, "troubled": 0})
        objects = list(mine.filter(resource=name).order_by("namespace", "name")[:SHOWN])
        entries.append(
            {
                "row": row,
                "name": name,
                "number": found["number"],
                "troubled": found["troubled"],
                "problem": cluster.not_watched.get(name, ""),
                "objects": objects,
                "more": found["number"] - len(objects),
            }
        )
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
        _change(request, cluster, form.cleaned_data["kinds"])
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


def _change(request: HttpRequest, cluster: Cluster, kinds: list[Kind]) -> None:
    """Watch these kinds and no others, with one audit event when that is a change."""
    chosen = {kind.resource: kind for kind in kinds}
    with transaction.atomic():
        Cluster.objects.select_for_update().get(pk=cluster.pk)
        before = {row.as_kind.resource: row for row in cluster.watched_kinds.all()}
        for name in before.keys() & chosen.keys():
            # What the cluster serves now: a kind grows up from v1beta1 to v1.
            if before[name].version != chosen[name].versions[0]:
                before[name].version = chosen[name].versions[0]
                before[name].save(update_fields=["version"])
        if before.keys() == chosen.keys():
            return
        for name in before.keys() - chosen.keys():
            before[name].delete()
        WatchedKind.objects.bulk_create(
            WatchedKind(
                cluster=cluster,
                group=kind.group,
                version=kind.versions[0],
                plural=kind.plural,
                kind=kind.kind,
                namespaced=kind.namespaced,
                wanted_by=cast(User, request.user),
            )
            for name, kind in chosen.items()
            if name not in before
        )
        record(
            "cluster.kinds_chosen",
            cluster,
            request=request,
            before={"kinds": sorted(before)},
            after={"kinds": sorted(chosen)},
        )
    messages.success(request, _("The watcher follows this choice within ten seconds."))
