"""What is in a namespace, by what the watcher has seen."""

from __future__ import annotations

from django.db.models import Count

from clusters.models import Object
from tenancy.models import Namespace


def contents(row: Namespace) -> list[tuple[str, int]]:
    """[(kind, how many)], sorted by kind; nothing while it is not the tenant's on the cluster."""
    if row.applied_revision < row.theirs_from:
        return []  # somebody else's may have its name there
    objects = Object.objects.filter(cluster=row.cluster_id, namespace=row.name).order_by()
    counted = objects.values("kind").annotate(count=Count("pk")).order_by("kind")
    return [(found["kind"], found["count"]) for found in counted]


def claims(row: Namespace) -> list[Object]:
    """The persistent volume claims, whose data may go with the namespace; sorted by name."""
    if row.applied_revision < row.theirs_from:
        return []
    return list(
        Object.objects.filter(
            cluster=row.cluster_id, resource="persistentvolumeclaims", namespace=row.name
        ).order_by("name")
    )
