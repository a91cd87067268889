"""What the members of a tenant may do, on the console and on clusters.

The rights are rows of django-guardian on direct foreign keys: they go with the
tenant, the person or the group. tenancy.members writes them, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from console.accounts.models import User
from console.accounts.permissions import allowed
from tenancy.models import (
    Membership,
    Tenant,
    TenantGroupPermission,
    TenantRole,
    TenantUserPermission,
)

VIEW = "view_tenant"
LOGS = "read_logs"
TERMINALS = "open_terminals"
DEPLOY = "deploy"
ASK = "ask"
KUBECONFIGS = "issue_kubeconfigs"
NAMESPACES = "manage_namespaces"
MEMBERS = "manage_members"
OWNERS = "manage_owners"

# As the role "view" of Kubernetes, viewers read logs.
_VIEWER = frozenset({VIEW, LOGS})
_DEVELOPER = _VIEWER | {TERMINALS, DEPLOY, ASK, KUBECONFIGS}
_ADMIN = _DEVELOPER | {NAMESPACES, MEMBERS}
RIGHTS: Mapping[str, frozenset[str]] = {
    TenantRole.VIEWER: _VIEWER,
    TenantRole.DEVELOPER: _DEVELOPER,
    TenantRole.ADMIN: _ADMIN,
    TenantRole.OWNER: _ADMIN | {OWNERS},
}
ALL = RIGHTS[TenantRole.OWNER]
# What is left to the members of a frozen tenant: looking.
FROZEN = _VIEWER

# On clusters; clusters.rights.PLATFORM_GROUP is its sibling.
TENANT_GROUP = "flotilla:tenant:"


def visible_tenants(user: User | AnonymousUser) -> QuerySet[Tenant]:
    """The tenants that the user may see: all with a platform role, else their own."""
    if allowed(user, "tenants.view"):
        return Tenant.objects.all()
    if not isinstance(user, User) or not user.is_active:
        return Tenant.objects.none()
    return Tenant.objects.filter(holding(user, VIEW))


def holding(user: User, right: str, tenant: str = "pk") -> Q:
    """A condition on tenants: those on which the person holds a right, alone or by a group.

    tenant: the field of the queried table that holds the tenant's key.
    """
    mine = TenantUserPermission.objects.filter(
        content_object=OuterRef(tenant), user=user, permission__codename=right
    )
    ours = TenantGroupPermission.objects.filter(
        content_object=OuterRef(tenant), group__user=user, permission__codename=right
    )
    return Q(Exists(mine)) | Q(Exists(ours))


def rights(user: User | AnonymousUser, tenant: Tenant) -> frozenset[str]:
    """The rights that the user has on a tenant now; in a frozen one members only look."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if allowed(user, "tenants.change"):
        return ALL
    mine = TenantUserPermission.objects.filter(content_object=tenant, user=user)
    ours = TenantGroupPermission.objects.filter(content_object=tenant, group__user=user)
    held = frozenset(
        mine.values_list("permission__codename", flat=True).union(
            ours.values_list("permission__codename", flat=True)
        )
    )
    if tenant.frozen:
        held &= FROZEN
    return held | {VIEW} if allowed(user, "tenants.view") else held


def tenant_or_404(user: User | AnonymousUser, slug: str, right: str = VIEW) -> Tenant:
    """The tenant of this slug, for somebody with the right.

    Raises Http404 when the user may not know of it, PermissionDenied when they may see it
    and have not the right.
    """
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise Http404
    demand(user, tenant, right)
    return tenant


def demand(user: User | AnonymousUser, tenant: Tenant, right: str) -> None:
    """Nothing when the user has the right. Raises Http404 or PermissionDenied as above."""
    held = rights(user, tenant)
    if VIEW not in held:
        raise Http404
    if right not in held:
        raise PermissionDenied


def may_audit(user: User | AnonymousUser, tenant: Tenant) -> bool:
    """Whether the person reads the tenant's audit events: its owners, in a frozen one too.

    And whoever reads all of them.
    """
    if not isinstance(user, User) or not user.is_active:
        return False
    if allowed(user, "audit.view"):
        return True
    mine = Membership.objects.filter(Q(user=user) | Q(group__user=user), tenant=tenant)
    return mine.filter(role=TenantRole.OWNER).exists()


def demand_audit(user: User | AnonymousUser, tenant: Tenant) -> None:
    """Raises Http404 for who may not know of the tenant, PermissionDenied for who may not audit."""
    demand(user, tenant, VIEW)
    if not may_audit(user, tenant):
        raise PermissionDenied


def groups_on_clusters(user: User) -> tuple[str, ...]:
    """The groups in which a person acts inside clusters, by their memberships.

    ("flotilla:tenant:shop:developer", …), sorted. In a frozen tenant everybody is a viewer.
    """
    found = (
        Membership.objects.filter(Q(user=user) | Q(group__user=user))
        .values_list("tenant__slug", "tenant__frozen", "role")
        .distinct()
    )
    return tuple(
        sorted(
            {
                f"{TENANT_GROUP}{slug}:{TenantRole.VIEWER if frozen else role}"
                for slug, frozen, role in found
            }
        )
    )
