"""What a group of people gives in tenants, told to those who would remove it."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import Group
from django.db import connection
from django.utils.translation import gettext as _

from console.accounts.group_actions import Use
from tenancy.models import Membership, Tenant, TenantRole


def uses(group: Group) -> Iterator[Use]:
    """The roles of a group; one that is a tenant's only owner is needed.

    In a transaction the tenants are locked first, as tenancy.members does: no two owners
    can go at the same moment.
    """
    held = Membership.objects.filter(group=group)
    if connection.in_atomic_block:
        # By key, so that two that lock several tenants never wait for each other.
        keys = held.values("tenant")
        list(Tenant.objects.select_for_update().filter(pk__in=keys).order_by("pk").values("pk"))
    for row in held.select_related("tenant").order_by("tenant__name"):
        values = {"role": row.get_role_display(), "tenant": row.tenant.name}
        yield Use(_("%(role)s of the tenant %(tenant)s") % values, _only_owner(row))


def _only_owner(row: Membership) -> str:
    owners = Membership.objects.filter(tenant=row.tenant, role=TenantRole.OWNER)
    if row.role != TenantRole.OWNER or owners.exclude(pk=row.pk).exists():
        return ""
    return _(
        "It is the only owner of the tenant %(tenant)s: make somebody else an owner first."
    ) % {"tenant": row.tenant.name}
