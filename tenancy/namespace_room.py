"""What a tenant's quota leaves for a namespace, beside each field of its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from clusters.models import Cluster
from tenancy import amounts, quotas
from tenancy.models import Namespace, Tenant


@dataclass(frozen=True)
class Room:
    """One limit that a namespace falls under. limit, taken: amounts of tenancy.amounts.

    cluster: the name of the cluster that the limit is for, "" for all together. taken: by
    the tenant's other namespaces.
    """

    resource: str
    cluster: str
    limit: int
    taken: int

    @property
    def left(self) -> int:
        """What may still be given; never below nothing."""
        return max(0, self.limit - self.taken)

    def text(self) -> str:
        """ "3 CPU of 10 CPU are left on east"."""
        values = {
            "left": amounts.human(self.resource, self.left),
            "limit": amounts.human(self.resource, self.limit),
            "cluster": self.cluster,
        }
        if self.cluster:
            return _("%(left)s of %(limit)s left on %(cluster)s") % values
        return _("%(left)s of %(limit)s left over all clusters") % values


def rooms(
    tenant: Tenant, cluster: Cluster, without: Namespace | None = None
) -> Mapping[str, list[Room]]:
    """{resource: its limits}, the cluster's first; {} where nothing is limited. Three queries.

    without: a namespace whose own share counts as free, when it is changed.
    """
    found: dict[str, list[Room]] = {}
    limits = tenant.quotas.filter(Q(cluster=cluster) | Q(cluster=None)).select_related("cluster")
    for quota in sorted(limits, key=lambda row: row.cluster_id is None):
        taken = quotas.taken(tenant, quota.cluster, without)
        name = quota.cluster.name if quota.cluster else ""
        for key, limit in amounts.read(quota.hard, of_tenant=True).items():
            found.setdefault(key, []).append(Room(key, name, limit, taken.get(key, 0)))
    return found
