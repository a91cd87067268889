"""Who belongs to a tenant: the page, and what those change who may."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, requires
from tenancy import members as actions
from tenancy import tenant_page
from tenancy.forms_members import MemberForm, RoleForm, roles
from tenancy.models import Membership, Tenant
from tenancy.permissions import MEMBERS, OWNERS, demand, rights, tenant_or_404


@requires(GET=SIGNED_IN)
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """The people and groups of a tenant, each with its role."""
    return _page(request, tenant_or_404(request.user, slug))


@requires(POST=SIGNED_IN)
@confirm_password
def member_add(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Bring somebody in; whoever is in already gets the role instead of theirs."""
    tenant = tenant_or_404(request.user, slug, MEMBERS)
    form = MemberForm(request.POST, owners=OWNERS in rights(request.user, tenant))
    if not form.is_valid():
        return _page(request, tenant, form)
    try:
        row = actions.set_role(
            tenant, form.cleaned_data["found"], form.cleaned_data["role"],
            by=cast(User, request.user), request=request,
        )  # fmt: skip
    except actions.MemberRefusedError as error:
        form.add_error(None, str(error))
        return _page(request, tenant, form)
    messages.success(request, _told(row))
    return redirect("tenants:members", slug=slug)


@requires(POST=SIGNED_IN)
@confirm_password
def member_change(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Another role."""
    tenant = tenant_or_404(request.user, slug, MEMBERS)
    row = _member(tenant, pk)
    form = RoleForm(request.POST, owners=OWNERS in rights(request.user, tenant))
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for text in form.errors.get("role", [])))
        return redirect("tenants:members", slug=slug)
    who = row.user or row.group
    assert who is not None  # the table's own constraint
    try:
        row = actions.set_role(
            tenant, who, form.cleaned_data["role"], by=cast(User, request.user), request=request
        )
    except actions.MemberRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _told(row))
    return redirect("tenants:members", slug=slug)


@requires(POST=SIGNED_IN)
@confirm_password
def member_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Take somebody out, or leave by oneself."""
    tenant = tenant_or_404(request.user, slug)
    row = _member(tenant, pk)
    user = cast(User, request.user)
    leaving = row.user_id == user.pk
    if not leaving:
        demand(user, tenant, MEMBERS)
    try:
        actions.remove(row, by=user, request=request)
    except actions.MemberRefusedError as error:
        messages.error(request, str(error))
        return redirect("tenants:members", slug=slug)
    messages.success(
        request,
        _("You left the tenant “%(tenant)s”.") % {"tenant": tenant.name}
        if leaving
        else _("%(name)s no longer belongs to the tenant.") % {"name": row.who},
    )
    return redirect("tenants:list") if leaving else redirect("tenants:members", slug=slug)


def _page(request: HttpRequest, tenant: Tenant, form: MemberForm | None = None) -> HttpResponse:
    owners = OWNERS in rights(request.user, tenant)
    rows = tenant.memberships.select_related("user", "group").order_by("pk")
    context = tenant_page.context(
        request, tenant, "members",
        members=sorted(rows, key=lambda row: (tenant_page.ORDER.index(row.role), row.who.lower())),
        form=form or MemberForm(owners=owners),
        roles=roles(owners=owners),
    )  # fmt: skip
    return render(request, "tenancy/members.html", context)


def _member(tenant: Tenant, pk: int) -> Membership:
    return get_object_or_404(tenant.memberships.select_related("user", "group"), pk=pk)


def _told(row: Membership) -> str:
    return _("%(name)s is %(role)s of this tenant now.") % {
        "name": row.who,
        "role": row.get_role_display(),
    }
