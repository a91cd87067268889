"""A cluster behind a real API server: `python -m tests.browser.operations_scene FILE`.

FILE: as of pods_scene, without pods; prints the cluster's number. `operations_scene look PK`:
the inventory learns what is in the cluster now.
"""

from __future__ import annotations

import sys

import django

django.setup()

from clusters import access  # noqa: E402
from clusters.inventory.kinds import BY_RESOURCE, object_path  # noqa: E402
from clusters.inventory.rows import row_of  # noqa: E402
from clusters.kube import Connection  # noqa: E402
from clusters.kube.credentials import credentials_of  # noqa: E402
from clusters.models import Cluster, Object  # noqa: E402
from tests.browser import pods_scene  # noqa: E402

RESOURCES = ("namespaces", "nodes", "deployments.apps", "configmaps", "secrets")


def look(cluster: Cluster) -> None:
    """What the watcher would have written by now, and the roles that it keeps."""
    conn = Connection(credentials_of(cluster))
    try:
        access.keep(cluster, conn)
        Object.objects.filter(cluster=cluster).delete()
        for resource in RESOURCES:
            kind = BY_RESOURCE[resource]
            path = object_path(kind.api_version(), kind.plural)
            items = conn.listing(path).items
            rows = (row_of(cluster.pk, kind, kind.api_version(), item) for item in items)
            Object.objects.bulk_create(row for row in rows if row)
    finally:
        conn.close()


if __name__ == "__main__":
    if sys.argv[1] == "look":
        pk = int(sys.argv[2])
    else:
        pk = pods_scene.main(sys.argv[1])
        sys.stdout.write(str(pk))
    look(Cluster.objects.get(pk=pk))
