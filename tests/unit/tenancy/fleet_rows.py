"""Two tenants on one cluster, each with a namespace and what runs in it, for tests of the fleet's
pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusters.models import Cluster, ClusterEvent, Object
from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, Tenant
from tests.factories import ClusterFactory, ObjectFactory, UserFactory
from tests.unit.tenancy.namespace_rows import namespace_of, tenant_of

KINDS = {
    "pods": ("v1", "Pod"), "deployments.apps": ("apps/v1", "Deployment"),
    "cronjobs.batch": ("batch/v1", "CronJob"), "secrets": ("v1", "Secret"),
    "nodes": ("v1", "Node"), "namespaces": ("v1", "Namespace"),
    "persistentvolumes": ("v1", "PersistentVolume"),
}  # fmt: skip


def put(cluster: Cluster, resource: str, namespace: str, name: str, **fields: Any) -> Object:
    """An object as the watcher has seen it."""
    version, kind = KINDS[resource]
    return ObjectFactory(
        cluster=cluster, resource=resource, api_version=version, kind=kind, namespace=namespace,
        name=name, **fields,
    )  # fmt: skip


@dataclass
class Scene:
    """The tenant shop with the namespace shop, the tenant bank with vault; a node of both."""

    cluster: Cluster
    admin: User
    shop: Tenant = field(init=False)
    bank: Tenant = field(init=False)
    mine: Namespace = field(init=False)
    theirs: Namespace = field(init=False)

    def __post_init__(self) -> None:
        applied = {"state": "applied", "applied_revision": 1}
        self.shop, self.bank = (tenant_of(self.cluster, slug) for slug in ("shop", "bank"))
        self.mine = namespace_of(self.shop, self.cluster, "shop", **applied)
        self.theirs = namespace_of(self.bank, self.cluster, "vault", **applied)
        put(self.cluster, "nodes", "", "node-1")
        put(self.cluster, "persistentvolumes", "", "pv-1")
        for namespace in ("shop", "vault"):
            put(self.cluster, "namespaces", "", namespace)
            for resource in ("deployments.apps", "pods", "cronjobs.batch"):
                put(
                    self.cluster, resource, namespace, f"{namespace}-web",
                    status="Running", summary={"phase": "Running"},
                    node="node-1" if resource == "pods" else "",
                )  # fmt: skip
            put(self.cluster, "secrets", namespace, f"{namespace}-password")
            ClusterEvent.objects.create(
                cluster=self.cluster, uid=f"e-{namespace}", namespace=namespace, about_kind="Pod",
                about_name=f"{namespace}-web", reason="Started", message=f"in {namespace}",
            )  # fmt: skip

    def person(self, role: str, tenant: Tenant | None = None) -> User:
        """A member in a role, of shop unless said otherwise."""
        tenant = tenant or self.shop
        who = UserFactory(username=f"{tenant.slug}-{role}")
        members.set_role(tenant, who, role, by=self.admin)
        return who

    def former(self) -> User:
        """Somebody who was an admin of shop."""
        who = UserFactory(username="former")
        members.remove(members.set_role(self.shop, who, "admin", by=self.admin), by=self.admin)
        return who


def scene_of(admin: User) -> Scene:
    """The scene on a cluster that nobody can be called on."""
    return Scene(ClusterFactory(name="east"), admin)
