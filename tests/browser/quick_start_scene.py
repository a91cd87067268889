"""A namespace of the tenant shop behind a real API server: FILE as of pods_scene, without pods.

Run after tenancy_scene; prints the namespace's number. `quick_start_scene look PK`: the
inventory learns what is in the namespace's cluster now.
"""

from __future__ import annotations

import sys
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.inventory.kinds import BY_RESOURCE, object_path  # noqa: E402
from clusters.inventory.rows import row_of  # noqa: E402
from clusters.kube import Connection  # noqa: E402
from clusters.kube.credentials import credentials_of  # noqa: E402
from clusters.models import Cluster, Object  # noqa: E402
from tenancy import reconcile, use_samples  # noqa: E402
from tenancy.models import Namespace, Tenant, TenantCluster  # noqa: E402
from tests.browser import pods_scene  # noqa: E402

RESOURCES = ("deployments.apps", "services", "ingresses.networking.k8s.io")


def make(file: str) -> int:
    """The namespace, made on the cluster, with two hours of use."""
    cluster = Cluster.objects.get(pk=pods_scene.main(file))
    cluster.seen = timezone.now()
    cluster.save()
    shop = Tenant.objects.get(slug="shop")
    shop.ingress_classes = ["public"]
    shop.save()
    TenantCluster.objects.create(tenant=shop, cluster=cluster)
    row = Namespace.objects.create(
        tenant=shop, cluster=cluster, name="corner", quota={"requests.cpu": "1", "pods": "10"},
        limits={"cpu": {"request": "100m", "limit": "500m"}}, isolation="open",
    )  # fmt: skip
    conn = Connection(credentials_of(cluster))
    reconcile.keep(cluster, conn, lambda: None)
    conn.close()
    for hours in (2, 1):
        use_samples.look(int(time.time()) - hours * use_samples.HOUR)
    return row.pk


def look(row: Namespace) -> None:
    """What the watcher would have written by now."""
    conn = Connection(credentials_of(row.cluster))
    for resource in RESOURCES:
        kind = BY_RESOURCE[resource]
        Object.objects.filter(cluster=row.cluster, resource=resource).delete()
        items = conn.listing(object_path(kind.api_version(), kind.plural)).items
        rows = (row_of(row.cluster_id, kind, kind.api_version(), item) for item in items)
        Object.objects.bulk_create(found for found in rows if found)
    conn.close()


if __name__ == "__main__":
    if sys.argv[1] == "look":
        look(Namespace.objects.select_related("cluster").get(pk=int(sys.argv[2])))
    else:
        sys.stdout.write(str(make(sys.argv[1])))
