"""A tenant with a cluster, its people, and namespaces, for tests of pages and API."""

from __future__ import annotations

from typing import Any

from clusters.models import Cluster, Object
from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, Quota, Tenant, TenantCluster
from tests.factories import ObjectFactory, UserFactory

ROLES = ("owner", "admin", "developer", "viewer")
# What a form of a namespace sends at least; a quota is added by the tests.
FORM = {"isolation": "tenant", "pod_security": "baseline"}


def tenant_of(cluster: Cluster, slug: str = "shop", **fields: Any) -> Tenant:
    """A tenant that has been given the cluster."""
    tenant = Tenant.objects.create(slug=slug, name=fields.pop("name", slug.title()), **fields)
    TenantCluster.objects.create(tenant=tenant, cluster=cluster)
    return tenant


def member(tenant: Tenant, role: str, by: User) -> User:
    """Somebody in this role."""
    who = UserFactory(username=f"{tenant.slug}-{role}")
    members.set_role(tenant, who, role, by=by)
    return who


def limited(tenant: Tenant, cluster: Cluster | None = None, **hard: str) -> Quota:
    """A quota of the tenant; requests_cpu stands for requests.cpu."""
    named = {key.replace("_", "."): value for key, value in hard.items()}
    return Quota.objects.create(tenant=tenant, cluster=cluster, hard=named)


def namespace_of(tenant: Tenant, cluster: Cluster, name: str = "web", **fields: Any) -> Namespace:
    """A namespace of the tenant."""
    return Namespace.objects.create(tenant=tenant, cluster=cluster, name=name, **fields)


def seen(cluster: Cluster, name: str) -> Object:
    """A namespace that the watcher has seen on the cluster."""
    return ObjectFactory(
        cluster=cluster, resource="namespaces", api_version="v1", kind="Namespace", namespace="",
        name=name,
    )  # fmt: skip
