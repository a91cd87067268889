"""Rows of the inventory for tests, as the watcher would have written them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from clusters.inventory.kinds import BY_RESOURCE
from clusters.inventory.rows import finished
from clusters.models import Cluster, Object

NOW = timezone.now()


def build(cluster: Cluster, resource: str, name: str, namespace: str = "", **fields: Any) -> Object:
    """One object, not saved."""
    kind = BY_RESOURCE[resource]
    fields.setdefault("uid", f"{resource}/{namespace}/{name}"[:64])
    fields.setdefault("created", NOW - timedelta(hours=1))
    return Object(
        cluster=cluster, resource=resource, api_version=kind.api_version(), kind=kind.kind,
        namespace=namespace, name=name, **fields,
    )  # fmt: skip


def make(cluster: Cluster, resource: str, name: str, namespace: str = "", **fields: Any) -> Object:
    """One object in the database."""
    row = finished(build(cluster, resource, name, namespace, **fields))
    row.save()
    return row


def many_pods(cluster: Cluster, count: int) -> None:
    """So many pods: 20 namespaces, every hundredth in trouble, every tenth of the same age."""
    Object.objects.bulk_create(
        (
            build(
                cluster, "pods", f"pod-{n:05d}", f"space-{n % 20}",
                uid=f"{cluster.pk}-{n}",
                status="CrashLoopBackOff" if n % 100 == 0 else "Running",
                health="bad" if n % 100 == 0 else "good",
                node=f"node-{n % 40}",
                labels={"app": "web" if n % 2 else "api", "tier": "front"},
                created=NOW - timedelta(minutes=n // 10),
                summary={"phase": "Running", "ready": [1, 1], "restarts": 0,
                         "cpu_request": 0.25, "memory_request": 2**28},
            )
            for n in range(count)
        ),
        batch_size=1000,
    )  # fmt: skip
