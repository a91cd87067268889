"""Pages of tenants: the list, one tenant, and what platform admins and owners change."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset
from tenancy import quotas, tenant_page, use_history
from tenancy import tenant_actions as actions
from tenancy.filters import TenantFilter
from tenancy.forms import FreezeForm, TenantForm
from tenancy.models import Tenant
from tenancy.permissions import OWNERS, tenant_or_404, visible_tenants

NAMESPACES_SHOWN = 50


@requires(GET=SIGNED_IN)
def tenants(request: HttpRequest) -> HttpResponse:
    """The tenants that one may see: all with a platform role, else one's own."""
    rows = tenant_page.with_counts(visible_tenants(request.user))
    filters = TenantFilter(request.GET, queryset=rows)
    page = keyset(request, filters.qs, sorts=("name", "-created"))
    mine = tenant_page.own_roles(request.user, page.rows)
    context = {
        "page": page,
        "form": filters.form,
        "rows": [(tenant, mine.get(tenant.pk)) for tenant in page],
        "all": allowed(request.user, "tenants.view"),
    }
    return render(request, "tenancy/list.html", context)


@requires(GET=SIGNED_IN)
def tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """One tenant: its quotas with what is taken of them, and its namespaces."""
    row = tenant_or_404(request.user, slug)
    namespaces = list(
        row.namespaces.select_related("cluster").order_by("name", "pk")[: NAMESPACES_SHOWN + 1]
    )
    trends = use_history.of_tenant(row)
    context = tenant_page.context(
        request, row, "tenant",
        quotas=[
            (one, trends.get(one.cluster.pk if one.cluster else None, {}).get(one.resource.key))
            for one in quotas.overview(row)
        ],
        namespaces=namespaces[:NAMESPACES_SHOWN],
        more_namespaces=len(namespaces) > NAMESPACES_SHOWN,
    )  # fmt: skip
    return render(request, "tenancy/overview.html", context)


@requires(GET=SIGNED_IN)
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """What is set for a tenant."""
    row = tenant_or_404(request.user, slug)
    context = tenant_page.context(
        request, row, "settings",
        default_quota=tenant_page.amount_rows(row.defaults.get("quota") or {}),
        default_limits=row.defaults.get("limits") or {},
        freeze=FreezeForm(initial={"reason": row.frozen_reason}),
    )  # fmt: skip
    return render(request, "tenancy/settings.html", context)


@requires(GET="tenants.change", POST="tenants.change")
def tenant_add(request: HttpRequest) -> HttpResponse:
    """A new tenant."""
    form = TenantForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            row = actions.create(
                form.values, owner=form.cleaned_data["owner"], by=cast(User, request.user),
                request=request,
            )  # fmt: skip
        except IntegrityError:
            form.add_error(None, _("The name was taken just now: choose another one."))
        else:
            messages.success(
                request,
                _("The tenant “%(name)s” was made. Give it a cluster next.") % {"name": row.name},
            )
            return redirect("tenants:clusters", slug=row.slug)
    return render(request, "tenancy/edit.html", {"form": form, "tenant": None})


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def tenant_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Other settings; an owner changes what is not the platform's to say."""
    row = tenant_or_404(request.user, slug, OWNERS)
    platform = allowed(request.user, "tenants.change")
    sent = request.POST if request.method == "POST" else None
    form = TenantForm(sent, tenant=row, platform=platform)
    if form.is_valid():
        try:
            actions.change(row, form.values, by=cast(User, request.user), request=request)
        except IntegrityError:
            form.add_error(None, _("The name was taken just now: choose another one."))
        else:
            messages.success(request, _("The settings were saved."))
            return redirect("tenants:settings", slug=slug)
    return render(request, "tenancy/edit.html", {"form": form, "tenant": row})


@requires(POST="tenants.change")
def tenant_freeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Leave the members nothing but looking."""
    row = get_object_or_404(Tenant, slug=slug)
    form = FreezeForm(request.POST)
    if not form.is_valid():
        context = tenant_page.context(
            request, row, "settings",
            default_quota=tenant_page.amount_rows(row.defaults.get("quota") or {}),
            default_limits=row.defaults.get("limits") or {},
            freeze=form,
        )  # fmt: skip
        return render(request, "tenancy/settings.html", context)
    actions.freeze(row, form.cleaned_data["reason"], by=cast(User, request.user), request=request)
    messages.success(request, _("The tenant is frozen: its members can only look."))
    return redirect("tenants:settings", slug=slug)


@requires(POST="tenants.change")
def tenant_unfreeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the members back what their roles allow."""
    row = get_object_or_404(Tenant, slug=slug)
    actions.unfreeze(row, by=cast(User, request.user), request=request)
    messages.success(request, _("The tenant is no longer frozen."))
    return redirect("tenants:settings", slug=slug)


@requires(GET="tenants.change", POST="tenants.change")
@confirm_password
def tenant_delete(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Delete a tenant, naming what is lost."""
    row = get_object_or_404(Tenant, slug=slug)
    form = ConfirmNameForm(request.POST if request.method == "POST" else None, expected=row.slug)
    if form.is_valid():
        try:
            actions.remove(row, by=cast(User, request.user), request=request)
        except actions.TenantRefusedError as error:
            messages.error(request, str(error))
            return redirect("tenants:settings", slug=slug)
        messages.success(request, _("The tenant “%(name)s” was deleted.") % {"name": row.name})
        return redirect("tenants:list")
    context = {
        "form": form,
        "tenant": row,
        "refused": actions.why_not_removed(row),
        "object_name": row.slug,
        "losses": _losses(row),
        "keeps": [_("the accounts of its people, its clusters, and what the audit record says")],
    }
    return render(request, "tenancy/delete.html", context)


def _losses(row: Tenant) -> list[str]:
    people = ", ".join(
        member.who for member in row.memberships.select_related("user", "group")[:20]
    )
    names = ", ".join(row.clusters.values_list("cluster__name", flat=True)[:20])
    return [
        _("the tenant with its quotas and settings"),
        *([_("the roles of its members: %(names)s") % {"names": people}] if people else []),
        *([_("its right to use clusters: %(names)s") % {"names": names}] if names else []),
    ]
