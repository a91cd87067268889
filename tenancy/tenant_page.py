"""What the pages of a tenant share: its tabs, and what the reader may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, IntegerField, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.accounts.models import User
from console.accounts.permissions import allowed
from tenancy import amounts
from tenancy.models import Membership, Namespace, Tenant, TenantCluster, TenantRole
from tenancy.permissions import ASK, MEMBERS, OWNERS, may_audit, rights

TABS = (
    ("tenant", _("Overview")),
    ("members", _("Members")),
    ("clusters", _("Clusters and quotas")),
    ("audit", _("Audit")),
    ("settings", _("Settings")),
)
# From the most to the least.
ORDER = tuple(TenantRole)


@dataclass(frozen=True)
class Tab:
    """One part of a tenant's page. count: how much is in it, None where that says nothing."""

    id: str
    label: Any
    href: str
    count: int | None = None


def with_counts(rows: QuerySet[Tenant]) -> QuerySet[Tenant]:
    """Tenants with member_count, namespace_count and cluster_count."""
    return rows.annotate(
        member_count=_count(Membership),
        namespace_count=_count(Namespace),
        cluster_count=_count(TenantCluster),
    )


def own_roles(user: User | AnonymousUser, tenants: list[Tenant]) -> Mapping[int, TenantRole]:
    """{tenant's key: the highest role that the user has there}, alone or by a group."""
    if not isinstance(user, User):
        return {}
    rows = Membership.objects.filter(Q(user=user) | Q(group__user=user), tenant__in=tenants)
    found: dict[int, TenantRole] = {}
    for key, role in rows.values_list("tenant_id", "role"):
        mine = TenantRole(role)
        if key not in found or ORDER.index(mine) < ORDER.index(found[key]):
            found[key] = mine
    return found


def context(request: HttpRequest, tenant: Tenant, tab: str, **more: Any) -> dict[str, Any]:
    """What templates/tenancy/tenant_base.html needs, and `more`."""
    held = rights(request.user, tenant)
    counts = {
        "members": tenant.memberships.count(),
        "clusters": tenant.clusters.count(),
    }
    tabs = [
        Tab(name, label, reverse(f"tenants:{name}", args=[tenant.slug]), counts.get(name))
        for name, label in TABS
        if name != "audit" or may_audit(request.user, tenant)
    ]
    platform = allowed(request.user, "tenants.change")
    return {
        "tenant": tenant,
        "tabs": tabs,
        "tab": next(entry for entry in tabs if entry.id == tab),
        "held": held,
        "may_members": MEMBERS in held,
        "may_owners": OWNERS in held,
        "may_edit": OWNERS in held,
        "may_ask": ASK in held and not platform,
        "platform": platform,
        "role": own_roles(request.user, [tenant]).get(tenant.pk),
        **more,
    }


def amount_rows(hard: Mapping[str, str]) -> list[tuple[Any, str]]:
    """(label, "2 GiB") of what a quota limits, in the order of all resources."""
    return [
        (resource.label, amounts.human(key, amounts.parse(key, hard[key])))
        for key, resource in amounts.RESOURCES.items()
        if key in hard
    ]


def _count(model: type[Model]) -> Any:
    rows: Any = model._default_manager.filter(tenant=OuterRef("pk")).order_by()
    counted = rows.values("tenant").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
