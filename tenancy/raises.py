"""What a tenant may have now: its quotas, and what requests have added to them until a date.

An amount that was given until a date stops counting at that moment by itself; nothing has
to run then, and what an admin sets meanwhile is not undone.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import Cluster
from tenancy import amounts
from tenancy.amounts import Amounts
from tenancy.models import Quota, Request, RequestKind, RequestState, Tenant


def limits(tenant: Tenant, now: datetime | None = None) -> dict[int | None, Amounts]:
    """{cluster's key, None for all clusters: what may be had there now}, in two queries.

    What no quota limits is not there.
    """
    quotas = tenant.quotas.all()
    found = {q.cluster_id: amounts.read(q.hard, of_tenant=True) for q in quotas if q.hard}
    for key, more in _added(tenant, now or timezone.now()).items():
        for resource, amount in more.items():
            if resource in found.get(key, {}):
                found[key][resource] += amount
    return found


def limits_of_all(now: datetime | None = None) -> dict[int, dict[int | None, Amounts]]:
    """{tenant's key: as limits()} of every tenant that has a quota, in two queries."""
    found: dict[int, dict[int | None, Amounts]] = defaultdict(dict)
    for tenant, cluster, told in Quota.objects.values_list("tenant_id", "cluster_id", "hard"):
        if told:
            found[tenant][cluster] = amounts.read(told, of_tenant=True)
    rows = _running(now or timezone.now())
    for tenant, cluster, granted in rows.values_list("tenant_id", "cluster_id", "granted"):
        here = found.get(tenant, {}).get(cluster, {})
        for key, text in granted.items():
            if key in here:
                here[key] += amounts.parse(key, text)
    return dict(found)


def hard(tenant: Tenant, cluster: Cluster | None) -> dict[str, str]:
    """The quota of a scope as it is kept, {resource: quantity}, without what ends by itself."""
    found = Quota.objects.filter(tenant=tenant, cluster=cluster).first()
    return dict(found.hard) if found else {}


def in_scope(tenant: Tenant, cluster: Cluster | None) -> dict[str, str]:
    """The limits of one scope as they count now, {resource: quantity}."""
    return amounts.spelled(limits(tenant).get(cluster.pk if cluster else None, {}))


def exceeded(tenant: Tenant, cluster: Cluster | None, taken: Amounts) -> list[str]:
    """A sentence for each limit of a scope that is below what namespaces have been given."""
    now = limits(tenant).get(cluster.pk if cluster else None, {})
    return [
        _("%(resource)s: namespaces have %(taken)s, the limit is %(limit)s.")
        % {
            "resource": amounts.RESOURCES[key].label,
            "taken": amounts.human(key, taken[key]),
            "limit": amounts.human(key, limit),
        }
        for key, limit in now.items()
        if taken.get(key, 0) > limit
    ]


def _added(tenant: Tenant, now: datetime) -> dict[int | None, Amounts]:
    rows = _running(now).filter(tenant=tenant)
    found: dict[int | None, Amounts] = defaultdict(dict)
    for cluster, granted in rows.values_list("cluster_id", "granted"):
        for key, text in granted.items():
            here = found[cluster]
            here[key] = here.get(key, 0) + amounts.parse(key, text)
    return found


def _running(now: datetime) -> QuerySet[Request]:
    """The approved requests for quota that still count."""
    return Request.objects.filter(
        kind=RequestKind.QUOTA, state=RequestState.APPROVED, until__gt=now
    )
