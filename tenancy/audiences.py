"""The people of a tenant as audiences of notices: who holds a right on it now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from console.accounts.models import User
from tenancy.models import Tenant, TenantGroupPermission, TenantUserPermission
from tenancy.permissions import FROZEN


def holders(tenant: Tenant | int, right: str) -> str:
    """The name of the audience of those who hold a right of tenancy.permissions on a tenant."""
    key = tenant if isinstance(tenant, int) else tenant.pk
    return f"tenant:{key}:{right}"


def of(user: User) -> Iterator[QuerySet[Any, Any]]:
    """The names of the audiences to which a person belongs, alone and by groups.

    In a frozen tenant members only look, and hear of what those who look hear.
    """
    name = Concat(
        Value("tenant:"), Cast("content_object", CharField()), Value(":"),
        F("permission__codename"), output_field=CharField(),
    )  # fmt: skip
    counts = Q(content_object__frozen=False) | Q(permission__codename__in=FROZEN)
    tables: tuple[QuerySet[Any], ...] = (
        TenantUserPermission.objects.filter(user=user),
        TenantGroupPermission.objects.filter(group__user=user),
    )
    for rows in tables:
        yield rows.filter(counts).values_list(name, flat=True)
