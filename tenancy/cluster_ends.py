"""What is left of tenants on a cluster that this console deletes or forgets: nothing, told to all.

Namespaces, grants, quotas, requests and kubeconfigs of the cluster go with its row, and what
they took of the quota over all clusters is free again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.ending import Dependent
from clusters.models import Cluster
from console.audit.record import record
from console.notices.models import Severity
from console.notices.telling import Subject, Told, over, page, tell_all
from tenancy.audiences import holders
from tenancy.models import Namespace, Request, RequestState, Tenant
from tenancy.permissions import VIEW

MOST_NAMED = 10


def dependents(cluster: Cluster) -> Iterator[Dependent]:
    """Each tenant's namespace on the cluster, with how many members the tenant has."""
    rows = Namespace.objects.filter(cluster=cluster).annotate(
        people=Count("tenant__memberships", distinct=True)
    )
    for tenant, name, people in rows.values_list("tenant__name", "name", "people"):
        yield Dependent(tenant, name, people)


def leave(cluster: Cluster, stays: bool) -> None:
    """End what tenants have there and tell their people, in the transaction in which it goes.

    stays: the cluster itself goes on, with the namespaces as they are.
    """
    waiting = Request.objects.filter(state=RequestState.OPEN)
    for pk in (waiting.filter(cluster=cluster) | waiting.filter(pool__cluster=cluster)).values_list(
        "pk", flat=True
    ):
        over("request.open", f"request/{pk}", quiet=True)  # its page goes with it
    # By key, so that two that lock several tenants never wait for each other.
    holding = Tenant.objects.filter(clusters__cluster=cluster) | Tenant.objects.filter(
        namespaces__cluster=cluster
    )
    keys = sorted(set(holding.values_list("pk", flat=True)))
    tenants = {
        row.pk: row for row in Tenant.objects.select_for_update().filter(pk__in=keys).order_by("pk")
    }
    names: dict[int, list[str]] = defaultdict(list)
    why = _("the cluster was forgotten") if stays else _("the cluster was deleted")
    for row in Namespace.objects.filter(cluster=cluster).select_related("tenant").order_by("name"):
        names[row.tenant_id].append(row.name)
        record(
            "namespace.released" if stays else "namespace.removed", row, reason=why,
            before={"tenant": row.tenant.slug, "cluster": cluster.name, "quota": row.quota},
        )  # fmt: skip
    # Before the pools that they are bound to, which would not go before them.
    Namespace.objects.filter(cluster=cluster).delete()
    tell_all(_told(tenants[key], cluster, names[key], stays) for key in keys if key in tenants)


def _told(tenant: Tenant, cluster: Cluster, names: list[str], stays: bool) -> Told:
    listed = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return Told(
        "tenant.cluster_forgotten" if stays else "tenant.cluster_deleted",
        f"tenant/{tenant.pk}/cluster/{cluster.pk}/{timezone.now().isoformat()}",
        {"tenant": tenant.name, "cluster": cluster.name, "namespaces": listed},
        Severity.WARNING,
        page("tenants:tenant", tenant.slug),
        Subject("tenant", str(tenant.pk), tenant.name, cluster.name),
        audience=holders(tenant, VIEW),
    )
