"""Pages that launch tasks inside clusters: the drain of a node, the apply of many manifests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clusters import access
from clusters.forms_manifests import ManifestsForm
from clusters.kube import KubeError
from clusters.kube.manifests import Wish, in_order
from clusters.object_actions import NODES
from clusters.operate import refuse_by_role, user_of
from clusters.rights import may_here_or_403, object_or_404, visible_clusters
from clusters.views_workloads import not_for_this, page
from console.accounts.permissions import requires
from provisioning.drain_preview import preview_of
from provisioning.forms_drain import DrainForm
from provisioning.operation_drain import drain_node
from provisioning.operation_manifests import apply_manifests


@requires(GET="clusters.operate", POST="clusters.operate")
def drain(request: HttpRequest, pk: int, resource: str, namespace: str, name: str) -> HttpResponse:
    """What will be evicted, from SQL; the options; then the task."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    user = user_of(request)
    form = DrainForm(request.POST or None)
    try:
        if row.resource != NODES:
            raise not_for_this(row, _("Drain"))
        refuse_by_role(user, "create", row, "pods/eviction")
    except KubeError as error:
        return page(request, "operations/drain.html", row, error)
    if request.method == "POST" and form.is_valid() and not access.problem(row.cluster):
        task = drain_node(row.cluster, row.name, form.options, user=user, request=request)
        return redirect("provisioning:task", pk=task.pk)
    return page(
        request, "operations/drain.html", row, form=form, preview=preview_of(row)
    )  # fmt: skip


@requires(POST="clusters.operate")
def manifests(request: HttpRequest, pk: int) -> HttpResponse:
    """Launch the task that applies (or with ?dry_run=true tries) what the form holds."""
    cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
    may_here_or_403(request.user, "clusters.operate", cluster)
    form = ManifestsForm(request.POST, request.FILES)
    if not form.is_valid() or access.problem(cluster):
        context = {
            "cluster": cluster,
            "form": form.carried(),
            "no_access": access.problem(cluster),
        }
        return render(request, "operations/manifests.html", context)
    data = form.cleaned_data
    dry_run = request.GET.get("dry_run") == "true"
    wish = Wish(data["namespace"], data["force"], dry_run)
    task = apply_manifests(
        cluster, data["text"], in_order(form.manifests), wish, user=user_of(request),
        request=request,
    )  # fmt: skip
    return redirect("provisioning:task", pk=task.pk)
