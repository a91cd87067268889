"""Which of a cluster's namespaces are open to a tenant's people, and for what.

What the fleet's pages ask of tenants (clusters.places). A namespace is open as soon as the
cluster has it as its tenant's, until it is released or moved: a row that the cluster has refused,
since the name is somebody else's there, opens nothing.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from clusters.console_account import NAMESPACE
from clusters.guarded import SYSTEM_NAMESPACES
from clusters.models import Origin
from console.accounts.models import User
from tenancy.models import Membership, Namespace, NamespaceState, Tenant, TenantRole
from tenancy.permissions import (
    DEPLOY,
    FROZEN,
    LOGS,
    TERMINALS,
    VIEW,
    groups_on_clusters,
    holding,
)
from tenancy.roles import RULES

# What a permission of the console takes of the rights on a tenant.
RIGHTS = {
    "clusters.view": VIEW,
    "clusters.logs": LOGS,
    "clusters.exec": TERMINALS,
    "clusters.operate": DEPLOY,
}


def open_namespaces(user: User, right: str) -> QuerySet[Namespace]:
    """The namespaces in which the person may use a right on their tenants now."""
    rows = _theirs().filter(holding(user, right, "tenant"))
    return rows if right in FROZEN else rows.filter(tenant__frozen=False)


def _theirs() -> QuerySet[Namespace]:
    """Those that their clusters have as their tenants'."""
    rows = Namespace.objects.filter(
        applied_revision__gte=F("theirs_from"), cluster__console_namespace=""
    )
    guarded = (*SYSTEM_NAMESPACES, NAMESPACE, *settings.GUARDED_NAMESPACES)
    return rows.exclude(
        Q(state=NamespaceState.RELEASING) | Q(cluster__origin=Origin.SYSTEM) | Q(name__in=guarded)
    )


class Tenancy:
    """Tenants' namespaces as clusters.places.Source."""

    def objects(self, user: User) -> Q:
        """What the roles on clusters let a member list; secrets are the developers'."""
        looks, works = _listed(TenantRole.VIEWER), _listed(TenantRole.DEVELOPER)
        return Q(_inside(user, VIEW), resource__in=looks) | Q(
            _inside(user, DEPLOY), resource__in=works - looks
        )

    def events(self, user: User) -> Q:
        """Those of their namespaces."""
        return Q(_inside(user, VIEW))

    def clusters(self, user: User) -> Q:
        """Those with a namespace of theirs."""
        return Q(Exists(open_namespaces(user, VIEW).filter(cluster=OuterRef("pk"))))

    def holds(
        self, user: User, permission: str, cluster: int | None, namespace: str | None
    ) -> bool:
        """Whether their rights carry the permission there."""
        if permission not in RIGHTS:
            return False
        rows = open_namespaces(user, RIGHTS[permission])
        if cluster is not None:
            rows = rows.filter(cluster=cluster)
        if namespace is not None:
            rows = rows.filter(name=namespace)
        return rows.exists()

    def names(self, user: User, cluster: int, most: int) -> list[str]:
        """Their namespaces of a cluster."""
        rows = open_namespaces(user, VIEW).filter(cluster=cluster).order_by("name")
        return list(rows.values_list("name", flat=True)[:most])

    def grants(self, user: User, cluster: int, namespace: str, verb: str, resource: str) -> bool:
        """By the roles of tenancy.roles that the person acts in there."""
        here = open_namespaces(user, VIEW).filter(cluster=cluster, name=namespace)
        found = Membership.objects.filter(
            Q(user=user) | Q(group__user=user), tenant__in=here.values("tenant")
        ).values_list("role", "tenant__frozen")
        return any(
            (verb, resource) in _granted(TenantRole.VIEWER if frozen else role)
            for role, frozen in found
        )

    def groups(self, user: User) -> tuple[str, ...]:
        """flotilla:tenant:<slug>:<role> of each tenant."""
        return groups_on_clusters(user)

    def address(self, user: User, cluster: int, namespace: str) -> str:
        """The namespace among the person's own."""
        row = open_namespaces(user, VIEW).filter(cluster=cluster, name=namespace).first()
        return reverse("namespaces:namespace", args=[row.pk]) if row else ""

    def tenant(self, cluster: int, namespace: str) -> Tenant | None:
        """By the namespaces that are open to somebody: a row that was refused claims no events."""
        rows = _theirs().filter(cluster=cluster, name=namespace).select_related("tenant")
        row = rows.first()
        return row.tenant if row else None


def _inside(user: User, right: str) -> Exists:
    rows = open_namespaces(user, right)
    return Exists(rows.filter(cluster=OuterRef("cluster"), name=OuterRef("namespace")))


@cache
def _granted(role: str) -> frozenset[tuple[str, str]]:
    """(verb, resource) of a tenant's role; resource as "deployments.apps", "pods/log"."""
    return frozenset(
        (verb, f"{plural}.{group}" if group else plural)
        for group, plurals, verbs in RULES[role]
        for plural in plurals
        for verb in verbs
    )


@cache
def _listed(role: str) -> frozenset[str]:
    return frozenset(resource for verb, resource in _granted(role) if verb == "list")
