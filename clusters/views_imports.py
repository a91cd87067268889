"""Pages that import clusters (given, chosen, checked live, saved) and replace credentials."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from clusters import import_page, importing
from clusters.forms_imports import GivenForm
from clusters.models import Cluster, ClusterImport, Origin
from clusters.rights import visible_clusters
from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import requires

SECRETS = ("kubeconfig", "token")


@requires(GET="clusters.import", POST="clusters.import")
@sensitive_post_parameters(*SECRETS)
@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """Paste or upload a kubeconfig, or give server, CA and token."""
    return _given(request, None)


@requires(GET="clusters.import", POST="clusters.import")
@sensitive_post_parameters(*SECRETS)
@never_cache
@confirm_password
def replace(request: HttpRequest, pk: int) -> HttpResponse:
    """New credentials for an imported cluster, checked as at an import."""
    return _given(request, imported(request, pk))


@requires(GET="clusters.import", POST="clusters.import")
@never_cache
def one(request: HttpRequest, number: int) -> HttpResponse:
    """An import: choose contexts and names (POST has them checked), and see the results."""
    row = own_import(request, number)
    context = import_page.context(row)
    if request.method == "POST":
        rows = context["offered"]
        names = {}
        for item in rows:
            item.chosen = str(item.number) in request.POST.getlist("context")
            item.name = request.POST.get(f"name-{item.number}", item.name).strip()
            if item.chosen:
                names[item.number] = item.name
        for item in rows:
            others = [name for n, name in names.items() if n != item.number]
            if item.chosen:
                item.problem = importing.name_problem(item.name, row, others)
        if not any(item.problem for item in rows):
            try:
                importing.choose(row, names)
            except importing.Rejected as rejected:
                context["problem"] = str(rejected)
            else:
                return redirect("clusters:import-detail", number=row.pk)
    return render(request, "clusters/import_detail.html", context)


@requires(GET="clusters.import")
@never_cache
def live(request: HttpRequest, number: int) -> HttpResponse:
    """The part of an import's page that asks for itself while something moves."""
    context = import_page.context(own_import(request, number))
    return render(request, "clusters/import_live.html", context)


@requires(POST="clusters.import")
def save(request: HttpRequest, number: int) -> HttpResponse:
    """Keep what was given, or with keep=account have a service account made and keep that."""
    row = own_import(request, number)
    try:
        if request.POST.get("keep") == "account":
            importing.want_exchange(row)
            return redirect("clusters:import-detail", number=row.pk)
        made = importing.save(row, request)
    except importing.Rejected as rejected:
        importing.note_failure(row, str(rejected), request)
        messages.error(request, str(rejected))
        return redirect("clusters:import-detail", number=row.pk)
    names = ", ".join(cluster.name for cluster in made)
    if row.cluster is not None:
        text = _("The credentials of %s were replaced.") % names
    else:
        text = ngettext("%s was imported.", "%s were imported.", len(made)) % names
    messages.success(request, text)
    if len(made) == 1:
        return redirect("clusters:detail", pk=made[0].pk)
    return redirect("clusters:list")


def own_import(request: HttpRequest, number: int) -> ClusterImport:
    """An import that this person began and whose time is not over. Raises Http404."""
    rows = ClusterImport.objects.select_related("cluster").filter(expires__gt=timezone.now())
    return get_object_or_404(rows, pk=number, created_by=cast(User, request.user))


def imported(request: HttpRequest, pk: int) -> Cluster:
    """A cluster that was imported. Raises Http404 for others: they have no given credentials."""
    cluster = get_object_or_404(visible_clusters(cast(User, request.user)), pk=pk)
    if cluster.origin != Origin.IMPORTED:
        raise Http404
    return cluster


def _given(request: HttpRequest, cluster: Cluster | None) -> HttpResponse:
    form = GivenForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        row = importing.begin(form.contexts, cast(User, request.user), cluster, request)
        usable = [n for n, item in enumerate(row.offered) if not item["refused"]]
        if cluster is not None and len(usable) == 1:
            # There is nothing to choose: the check begins at once.
            importing.choose(row, {usable[0]: cluster.name})
        return redirect("clusters:import-detail", number=row.pk)
    if form.is_bound:
        form.forget_secrets()
    context = {"form": form, "cluster": cluster, "reach": import_page.reach_words()}
    return render(request, "clusters/import.html", context)
