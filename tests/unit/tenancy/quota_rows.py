"""Tenants with clusters, quotas and namespaces, in one line each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from clusters.models import Cluster
from tenancy.models import Namespace, Quota, Tenant, TenantCluster
from tests.factories import ClusterFactory, ObjectFactory

_numbers = itertools.count()


def tenant_of(*clusters: Cluster, **quotas: dict) -> Tenant:
    """A tenant that has these clusters; quotas: by the cluster's name, `over_all` for all."""
    number = next(_numbers)
    tenant = Tenant.objects.create(name=f"Shop {number}", slug=f"shop-{number}")
    for cluster in clusters:
        TenantCluster.objects.create(tenant=tenant, cluster=cluster)
        if hard := quotas.get(cluster.name):
            Quota.objects.create(tenant=tenant, cluster=cluster, hard=hard)
    if hard := quotas.get("over_all"):
        Quota.objects.create(tenant=tenant, cluster=None, hard=hard)
    return tenant


def namespace_of(tenant: Tenant, cluster: Cluster, name: str = "", **fields: object) -> Namespace:
    """A namespace of the tenant; fields such as quota={"pods": "3"}."""
    name = name or f"ns-{next(_numbers)}"
    return Namespace.objects.create(tenant=tenant, cluster=cluster, name=name, **fields)


def watched_cluster(**fields: object) -> Cluster:
    """A cluster that the watcher has seen."""
    return ClusterFactory(seen=timezone.now(), **fields)


def pod(namespace: Namespace, **summary: object) -> None:
    """A pod as the inventory has it."""
    ObjectFactory(
        cluster=namespace.cluster, namespace=namespace.name, resource="pods", api_version="v1",
        kind="Pod", summary={"phase": "Running", **summary},
    )  # fmt: skip


def thing(namespace: Namespace, resource: str, **summary: object) -> None:
    """Any other object."""
    ObjectFactory(
        cluster=namespace.cluster, namespace=namespace.name, resource=resource, summary=summary
    )


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run it in so many threads at once; what fails in one fails here."""
    start, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            start.wait(30)
            work(number)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert not failures
