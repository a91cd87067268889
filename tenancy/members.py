"""Who belongs to a tenant: the one place that writes memberships and the rights they give."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.audit.record import record
from tenancy import member_notices
from tenancy.models import (
    Membership,
    Tenant,
    TenantGroupPermission,
    TenantRole,
    TenantUserPermission,
)
from tenancy.permissions import MEMBERS, OWNERS, RIGHTS, rights

Who = User | Group


class MemberRefusedError(Exception):
    """A change of members that is not possible; the message says why and what to do."""


def set_role(tenant: Tenant, who: Who, role: str, *, by: User, request: Any = None) -> Membership:
    """Give a person or a group a role in a tenant, in place of the one they may have.

    Raises MemberRefusedError when `by` may not give or take such a role, or when
    the tenant would be left without an owner.
    """
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
        old = _membership(tenant, who)
        _may(by, tenant, role, old.role if old else "")
        if old and old.role == role:
            return old
        if old and old.role == TenantRole.OWNER:
            _other_owner(tenant, old)
        found = old or Membership(tenant=tenant, **_column(who))
        before = {"role": old.role} if old else None
        found.role = role
        found.save()
        _write_rights(tenant, who, role)
        action = "tenant.member_changed" if before else "tenant.member_added"
        record(
            action, tenant, request=request, actor=by, before=before,
            after={"member": _label(who), "role": role},
        )  # fmt: skip
        member_notices.tell_of(tenant, who, role, by=by)
    return found


def remove(membership: Membership, *, by: User, request: Any = None) -> None:
    """Take a person or a group out of a tenant, with all rights that it gave.

    Raises MemberRefusedError as set_role. Somebody may always leave by themselves,
    unless they are the last owner.
    """
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=membership.tenant_id)
        old = Membership.objects.filter(pk=membership.pk).select_related("user", "group").first()
        if old is None:
            return
        who = old.user or old.group
        assert who is not None  # the table's own constraint
        if who != by:
            _may(by, tenant, "", old.role)
        if old.role == TenantRole.OWNER:
            _other_owner(tenant, old)
        _write_rights(tenant, who, "")
        old.delete()
        record(
            "tenant.member_removed", tenant, request=request, actor=by,
            before={"member": _label(who), "role": old.role},
        )  # fmt: skip
        member_notices.tell_of(tenant, who, "", by=by)


def _may(by: User, tenant: Tenant, new: str, old: str) -> None:
    held = rights(by, tenant)
    if MEMBERS not in held:
        raise MemberRefusedError(_("You may not change who belongs to this tenant."))
    if TenantRole.OWNER in (new, old) and OWNERS not in held:
        raise MemberRefusedError(_("Only an owner can make or remove owners: ask one of them."))


def _other_owner(tenant: Tenant, old: Membership) -> None:
    others = tenant.memberships.filter(role=TenantRole.OWNER).exclude(pk=old.pk)
    if not others.exists():
        raise MemberRefusedError(
            _("%(name)s is the only owner: make somebody else an owner first.") % {"name": old.who}
        )


def _membership(tenant: Tenant, who: Who) -> Membership | None:
    return Membership.objects.filter(tenant=tenant, **_column(who)).first()


def _column(who: Who) -> dict[str, Any]:
    return {"user": who} if isinstance(who, User) else {"group": who}


def _label(who: Who) -> str:
    return who.get_username() if isinstance(who, User) else _("group %(name)s") % {"name": who.name}


def _write_rights(tenant: Tenant, who: Who, role: str) -> None:
    table: Any = TenantUserPermission if isinstance(who, User) else TenantGroupPermission
    table.objects.filter(content_object=tenant, **_column(who)).delete()
    rows = Permission.objects.filter(
        content_type__app_label="tenancy", content_type__model="tenant"
    )
    known = {row.codename: row for row in rows}
    table.objects.bulk_create(
        table(content_object=tenant, permission=known[right], **_column(who))
        for right in RIGHTS.get(role, ())
    )
