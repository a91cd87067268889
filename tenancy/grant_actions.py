"""Which clusters and pools a tenant may use: given and taken, with their audit events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clusters.models import Cluster, ResourcePool
from console.accounts.models import User
from console.audit.record import record
from tenancy.models import Namespace, Tenant, TenantCluster

SHOWN = 10


class GrantRefusedError(Exception):
    """A cluster or pool that cannot be given or taken now; the message says why."""


def grant(
    tenant: Tenant,
    cluster: Cluster,
    pools: Iterable[ResourcePool],
    *,
    by: User,
    request: Any = None,
) -> TenantCluster:
    """Let a tenant use a cluster: all of it, or where pools are named only those.

    In place of what it may use there now. Raises GrantRefusedError for the cluster that the
    console itself runs on, for pools of other clusters, and while namespaces are where they
    could not be afterwards.
    """
    if cluster.hosts_console:
        # docs/decisions/0029-guarded-namespaces.md: who makes pods there can reach the key ring.
        raise GrantRefusedError(
            _("The console itself runs on %(cluster)s: no tenant can be given it. Choose another.")
            % {"cluster": cluster.name}
        )
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
        chosen = sorted(pools, key=lambda pool: pool.name)
        foreign = [pool.name for pool in chosen if pool.cluster_id != cluster.pk or pool.deleting]
        if foreign:
            raise GrantRefusedError(
                _("These are no pools of the cluster %(cluster)s: %(names)s.")
                % {"cluster": cluster.name, "names": ", ".join(foreign)}
            )
        outside = _outside(tenant, cluster, chosen)
        if outside:
            raise GrantRefusedError(_still_there(cluster, outside))
        row, made = TenantCluster.objects.get_or_create(tenant=tenant, cluster=cluster)
        before = None if made else _told(row)
        row.pools.set(chosen)
        after = _told(row)
        if before != after:
            record(
                "tenant.cluster_granted", tenant, request=request, actor=by,
                before=before, after=after,
            )  # fmt: skip
    return row


def withdraw(grant: TenantCluster, *, by: User, request: Any = None) -> None:
    """Take a cluster from a tenant, with the quota that it had there.

    Raises GrantRefusedError while the tenant has namespaces on it.
    """
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=grant.tenant_id)
        row = TenantCluster.objects.filter(pk=grant.pk).select_related("cluster").first()
        if row is None:
            return
        held = list(tenant.namespaces.filter(cluster=row.cluster).order_by("name"))
        if held:
            raise GrantRefusedError(_still_there(row.cluster, held))
        quota = tenant.quotas.filter(cluster=row.cluster).first()
        before = {**_told(row), "quota": quota.hard if quota else {}}
        if quota:
            quota.delete()
        record("tenant.cluster_withdrawn", tenant, request=request, actor=by, before=before)
        row.delete()


def _outside(tenant: Tenant, cluster: Cluster, pools: list[ResourcePool]) -> list[Namespace]:
    """The tenant's namespaces on the cluster that are in none of the pools."""
    if not pools:
        return []
    held = tenant.namespaces.filter(cluster=cluster).order_by("name")
    allowed = {pool.pk for pool in pools}
    return [row for row in held if row.pool_id not in allowed]


def _still_there(cluster: Cluster, rows: list[Namespace]) -> str:
    names = ", ".join(row.name for row in rows[:SHOWN]) + (" …" if len(rows) > SHOWN else "")
    return _(
        "The tenant has namespaces on %(cluster)s that this would take the ground from: "
        "%(names)s. Delete, release or move them to another pool or tenant first."
    ) % {"cluster": cluster.name, "names": names}


def _told(row: TenantCluster) -> dict[str, Any]:
    pools = list(row.pools.order_by("name").values_list("name", flat=True))
    return {"cluster": row.cluster.name, "pools": pools}
