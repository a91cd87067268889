"""Pages of tenants' namespaces, from SQL alone; the watcher changes the clusters."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clusters.models import Cluster
from clusters.rights import may_somewhere
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.ui.lists import keyset
from tenancy import namespace_actions as actions
from tenancy import quotas
from tenancy.filters_namespaces import NamespaceFilter
from tenancy.forms_namespaces import NamespaceForm, PlaceForm, adoptable
from tenancy.kubeconfigs import roles_for
from tenancy.models import Namespace, Tenant, TenantCluster
from tenancy.namespace_page import doubts, page_of
from tenancy.permissions import DEPLOY, NAMESPACES, demand, holding, rights, visible_tenants
from tenancy.proof_page import card_of
from tenancy.quick_start_actions import why_not
from tenancy.quick_start_page import made

# What lists show of a quota.
SHORT = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods")
SORTS = ("name", "tenant__name", "cluster__name", "state", "-created")


def visible(user: Any) -> QuerySet[Namespace]:
    """The namespaces of the tenants that the user may see."""
    rows = Namespace.objects.select_related("tenant", "cluster", "pool")
    if allowed(user, "tenants.view"):
        return rows
    if not isinstance(user, User) or not user.is_active:
        return rows.none()
    return rows.filter(tenant__in=visible_tenants(user))


def namespace_or_404(user: Any, pk: int, right: str = "") -> Namespace:
    """A namespace that the user may see, with the right on its tenant where one is named.

    Raises Http404 for what the user may not see, PermissionDenied for what they may not do.
    """
    row = get_object_or_404(visible(user), pk=pk)
    if right:
        demand(user, row.tenant, right)
    return row


def places(user: User) -> QuerySet[TenantCluster]:
    """Where the user may make namespaces: the clusters of tenants that let them."""
    rows = TenantCluster.objects.select_related("tenant", "cluster")
    if not allowed(user, "tenants.change"):
        rows = rows.filter(holding(user, NAMESPACES, "tenant"), tenant__frozen=False)
    return rows.order_by("tenant__name", "cluster__name")


@requires(GET=SIGNED_IN)
def namespaces(request: HttpRequest) -> HttpResponse:
    """The namespaces of all tenants that the user may see, with use against quota."""
    user: Any = request.user
    filters = NamespaceFilter(request.GET, queryset=visible(user))
    page = keyset(request, filters.qs, sorts=SORTS)
    bars = quotas.of_namespaces(page.rows)
    context = {
        "page": page,
        "form": filters.form,
        "rows": [(row, [bar for bar in bars[row.pk] if bar.resource.key in SHORT]) for row in page],
        "may_create": places(user).exists(),
        "all_tenants": allowed(user, "tenants.view"),
    }
    if not page and not page.filtered and not context["may_create"]:
        context["belongs"] = visible_tenants(user).exists()
    return render(request, "tenancy/namespace_list.html", context)


@requires(GET=SIGNED_IN)
def namespace(request: HttpRequest, pk: int) -> HttpResponse:
    """One namespace: how far its cluster has followed, quota, isolation, events."""
    user: Any = request.user
    row = namespace_or_404(user, pk)
    held = rights(user, row.tenant)
    may = NAMESPACES in held and row.state not in actions.LEAVING
    context = {
        "namespace": row,
        "may_change": may,
        "may_delete": may,
        "may_kubeconfig": bool(row.applied_revision and roles_for(user, row)),
        "may_deploy": DEPLOY in held and not why_not(row),
        "made": made(row),
        "may_move": may and allowed(request.user, "tenants.change"),
        "may_clusters": may_somewhere(user, "clusters.view", row.cluster),
        "proving": card_of(row, may=may),
        **page_of(row, user),
    }
    return render(request, "tenancy/namespace_detail.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def namespace_add(request: HttpRequest) -> HttpResponse:
    """A new namespace: first tenant and cluster, then what it is to be."""
    user: Any = request.user
    return _new(request, places(user), adopting=False)


@requires(GET="tenants.change", POST="tenants.change")
def namespace_adopt(request: HttpRequest) -> HttpResponse:
    """Give a tenant a namespace that is on a cluster already."""
    user: Any = request.user
    return _new(request, places(user), adopting=True)


def _new(request: HttpRequest, offered: QuerySet[TenantCluster], adopting: bool) -> HttpResponse:
    number = request.POST.get("place") or request.GET.get("place", "")
    if number:
        # An address of somebody who lost the right since leads nowhere.
        form = PlaceForm({"place": number}, places=offered)
        if not form.is_valid():
            raise Http404
        place = form.cleaned_data["place"]
    else:
        several = list(offered[:500])
        if len(several) != 1:
            context = {"places": several, "adopting": adopting}
            return render(request, "tenancy/namespace_choose.html", context)
        place = several[0]
    return _edit(request, place.tenant, place.cluster, place=place, adopting=adopting)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def namespace_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another quota, isolation, pod security, pool, or other labels."""
    row = namespace_or_404(request.user, pk, NAMESPACES)
    if row.state in actions.LEAVING:
        messages.error(request, _("It is being taken away: nothing in it can be changed."))
        return redirect("namespaces:namespace", pk=pk)
    return _edit(request, row.tenant, row.cluster, row=row)


def _edit(
    request: HttpRequest,
    tenant: Tenant,
    cluster: Cluster,
    *,
    row: Namespace | None = None,
    place: TenantCluster | None = None,
    adopting: bool = False,
) -> HttpResponse:
    user: Any = request.user
    form = NamespaceForm(
        request.POST or None, tenant=tenant, cluster=cluster, namespace=row, adopting=adopting
    )
    if form.is_valid():
        save = actions.change if row else actions.create
        try:
            saved = save(form, by=user, request=request)
        except actions.NamespaceRefusedError as error:
            messages.error(request, str(error))
            return redirect("namespaces:list")
        if saved is not None:
            messages.success(request, _saved(saved))
            return redirect("namespaces:namespace", pk=saved.pk)
    context = {
        "form": form,
        "namespace": row,
        "tenant": tenant,
        "cluster": cluster,
        "place": place,
        "adopting": adopting,
        "doubts": doubts(cluster),
        "adoptable": adoptable(cluster) if adopting else [],
    }
    return render(request, "tenancy/namespace_edit.html", context)


def _saved(row: Namespace) -> str:
    values = {"name": row.name, "cluster": row.cluster}
    return _("“%(name)s” was saved. %(cluster)s follows within a moment.") % values
