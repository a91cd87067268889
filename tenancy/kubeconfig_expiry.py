"""Kubeconfigs that were given out for namespaces, on the expiry radar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from console.notices.expiry import Expiring
from console.notices.telling import page
from tenancy.audiences import holders
from tenancy.models import GivenKubeconfig
from tenancy.permissions import OWNERS

# Who missed the end reads of it for so long.
FORGOTTEN = timedelta(days=7)


def expiring() -> Iterator[Expiring]:
    """Every kubeconfig that opens its namespace, or did until a week ago.

    The one who took it sees it, and the tenant's owners.
    """
    rows = GivenKubeconfig.objects.filter(
        revoked=None, expires__gt=timezone.now() - FORGOTTEN, tenant__isnull=False
    )
    for row in rows.select_related("cluster", "user", "tenant"):
        assert row.tenant is not None  # by the filter
        yield Expiring(
            "kubeconfig",
            f"kubeconfig/{row.pk}",
            str(row),
            row.expires,
            page("kubeconfigs:list"),
            permission="tenants.view",
            owner=row.user,
            cluster=row.cluster.name,
            audience=holders(row.tenant, OWNERS),
            since=row.created,
        )
