"""Tenants and their people, for tests."""

from __future__ import annotations

from django.contrib.auth.models import Group

from console.accounts.models import Role, User
from tenancy import members
from tenancy.models import Tenant, TenantRole
from tests.factories import UserFactory

ROLES = tuple(TenantRole)


def make_tenant(slug: str = "shop", **fields: object) -> Tenant:
    return Tenant.objects.create(slug=slug, **{"name": slug.title(), **fields})


def founder() -> User:
    """A platform admin who gives the first roles."""
    found = User.objects.filter(username="founder").first()
    return found or UserFactory(username="founder", role=Role.ADMIN)


def member(tenant: Tenant, role: str, name: str = "") -> User:
    person = UserFactory(username=name or f"{tenant.slug}-{role}")
    members.set_role(tenant, person, role, by=founder())
    return person


def member_by_group(tenant: Tenant, role: str, name: str = "team") -> tuple[User, Group]:
    person = UserFactory(username=f"{name}-{role}")
    group = Group.objects.create(name=name)
    person.groups.add(group)
    members.set_role(tenant, group, role, by=founder())
    return person, group
