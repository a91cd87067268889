"""What people are told when they come into a tenant, get another role in it, or leave."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.utils import timezone
from django.utils.translation import override

from console.accounts.models import User
from console.notices.models import Severity
from console.notices.telling import Subject, Told, page, tell_all
from tenancy.models import Tenant, TenantRole


def tell_of(tenant: Tenant, who: User | Group, role: str, *, by: User) -> None:
    """Tell a person, or those of a group, their new role; "" when they are out.

    In the caller's transaction. Who did it themselves knows.
    """
    people: Iterable[User]
    if isinstance(who, User):
        people = [who]
    else:
        people = User.objects.filter(groups=who, is_active=True)
    kind = "member.added" if role else "member.removed"
    with override("en"):  # each reader gets the catalogue's word in their language
        values = {"tenant": tenant.name, "role": str(dict(TenantRole.choices).get(role, role))}
    # Not the tenant's own page, which is nobody's who has left it since.
    link = page("tenants:list")
    # It may happen again, and is told again.
    moment = timezone.now().isoformat()
    tell_all(
        Told(
            kind,
            f"member/{tenant.pk}/{person.pk}/{moment}",
            values,
            Severity.INFO,
            link,
            Subject("tenant", str(tenant.pk), tenant.name),
            owner=person,
        )
        for person in people
        if person.pk != by.pk
    )
