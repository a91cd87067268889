"""The clusters, pools and quotas of a tenant: the page, and what platform admins change."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clusters.models import Cluster
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, requires
from tenancy import amounts, quotas, tenant_page
from tenancy import grant_actions as actions
from tenancy.forms_grants import HARD, ClusterForm, PoolsForm, QuotaForm
from tenancy.models import Quota, Tenant, TenantCluster
from tenancy.permissions import tenant_or_404


@requires(GET=SIGNED_IN)
def clusters(request: HttpRequest, slug: str) -> HttpResponse:
    """The clusters that a tenant may use, with its quota on each and over all."""
    tenant = tenant_or_404(request.user, slug)
    hard = {row.cluster_id: row.hard for row in tenant.quotas.all()}
    grants = tenant.clusters.select_related("cluster").prefetch_related("pools")
    context = tenant_page.context(
        request, tenant, "clusters",
        overall=tenant_page.amount_rows(hard.get(None, {})),
        grants=[
            (grant, tenant_page.amount_rows(hard.get(grant.cluster_id, {})))
            for grant in grants.order_by("cluster__name")
        ],
    )  # fmt: skip
    return render(request, "tenancy/clusters.html", context)


@requires(GET="tenants.change", POST="tenants.change")
def grant_add(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a tenant a cluster: first which one, then all of it or some pools."""
    tenant = get_object_or_404(Tenant, slug=slug)
    form = ClusterForm(request.POST if request.method == "POST" else None, tenant=tenant)
    if form.is_valid():
        cluster = form.cleaned_data["cluster"]
        if cluster.pools.filter(deleting=False).exists():
            return redirect("tenants:grant", slug=slug, cluster=cluster.pk)
        actions.grant(tenant, cluster, [], by=cast(User, request.user), request=request)
        messages.success(request, _granted(tenant, cluster))
        return redirect("tenants:clusters", slug=slug)
    field: Any = form.fields["cluster"]
    context = {"form": form, "tenant": tenant, "left": field.queryset.exists()}
    return render(request, "tenancy/grant_add.html", context)


@requires(GET="tenants.change", POST="tenants.change")
def grant(request: HttpRequest, slug: str, cluster: int) -> HttpResponse:
    """All of a cluster or some of its pools, given anew or instead of what was."""
    tenant = get_object_or_404(Tenant, slug=slug)
    row = get_object_or_404(Cluster, pk=cluster)
    given = tenant.clusters.filter(cluster=row).first()
    form = PoolsForm(
        request.POST if request.method == "POST" else None,
        cluster=row,
        initial={"pools": given.pools.all() if given else []},
    )
    if form.is_valid():
        try:
            actions.grant(
                tenant, row, form.cleaned_data["pools"], by=cast(User, request.user),
                request=request,
            )  # fmt: skip
        except actions.GrantRefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _granted(tenant, row))
            return redirect("tenants:clusters", slug=slug)
    context = {"form": form, "tenant": tenant, "cluster": row, "given": given}
    return render(request, "tenancy/grant.html", context)


@requires(POST="tenants.change")
def grant_withdraw(request: HttpRequest, slug: str, cluster: int) -> HttpResponse:
    """Take a cluster from a tenant."""
    row = get_object_or_404(
        TenantCluster.objects.select_related("cluster", "tenant"),
        tenant__slug=slug,
        cluster=cluster,
    )
    try:
        actions.withdraw(row, by=cast(User, request.user), request=request)
    except actions.GrantRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            _("The tenant may no longer use %(cluster)s.") % {"cluster": row.cluster.name},
        )
    return redirect("tenants:clusters", slug=slug)


@requires(GET="tenants.change", POST="tenants.change")
def quota(request: HttpRequest, slug: str, cluster: int | None = None) -> HttpResponse:
    """How much a tenant may have on a cluster, or without one on all together."""
    tenant = get_object_or_404(Tenant, slug=slug)
    row = None
    if cluster is not None:
        row = get_object_or_404(tenant.clusters.select_related("cluster"), cluster=cluster).cluster
    now = Quota.objects.filter(tenant=tenant, cluster=row).first()
    form = QuotaForm(
        request.POST if request.method == "POST" else None, hard=now.hard if now else {}
    )
    if form.is_valid():
        try:
            quotas.set_quota(tenant, row, form.hard, by=cast(User, request.user), request=request)
        except quotas.QuotaRefusedError as error:
            _blame(form, error)
        else:
            messages.success(request, _("The quota was saved."))
            return redirect("tenants:clusters", slug=slug)
    taken = quotas.taken(tenant, row)
    context = {
        "form": form,
        "tenant": tenant,
        "cluster": row,
        "groups": [
            (title, [(field, _human(field.name, taken)) for field in fields])
            for title, fields in form.groups
        ],
    }
    return render(request, "tenancy/quota.html", context)


def _human(field: str, taken: dict[str, int]) -> str:
    key = field.removeprefix(HARD)
    return amounts.human(key, taken[key]) if taken.get(key) else ""


def _blame(form: QuotaForm, error: quotas.QuotaRefusedError) -> None:
    for key, what in error.problems.items():
        form.add_error(HARD + key if HARD + key in form.fields else None, what)


def _granted(tenant: Tenant, cluster: Cluster) -> str:
    return _("%(tenant)s may use %(cluster)s now. Set how much in its quota.") % {
        "tenant": tenant.name,
        "cluster": cluster.name,
    }
