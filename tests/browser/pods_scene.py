"""A cluster whose API server is the test's own: `python -m tests.browser.pods_scene FILE`.

FILE: JSON with endpoint, ca, certificate, key, and pods {name: [container, ...]}; the first pod
belongs to a Deployment "shop". Prints the cluster's number.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django

django.setup()

from clusters.models import Cluster, ClusterSecret, ClusterStatus, Object, Origin  # noqa: E402


def main(file: str) -> int:
    given = json.loads(Path(file).read_text())
    cluster = Cluster.objects.create(
        name=given["name"], origin=Origin.PROVISIONED, status=ClusterStatus.ACTIVE,
        endpoint=given["endpoint"], version="v1.31.4",
    )  # fmt: skip
    for name, key in (
        ("ca/kubernetes.crt", "ca"),
        ("console/client.crt", "certificate"),
        ("console/client.key", "key"),
    ):
        ClusterSecret.objects.create(cluster=cluster, name=name, value=given[key])
    common = {"cluster": cluster, "namespace": "default"}
    Object.objects.create(
        resource="deployments.apps", api_version="apps/v1", kind="Deployment", name="shop",
        uid="shop", status="Available", health="good", **common,
    )  # fmt: skip
    for name, containers in given["pods"].items():
        summary = {
            "phase": "Running",
            "containers": [{"name": c, "state": "running", "restarts": 0} for c in containers],
        }
        Object.objects.create(
            resource="pods", api_version="v1", kind="Pod", name=name, uid=f"uid-{name}",
            owner_uid="shop", status="Running", health="good", node="node1", summary=summary,
            **common,
        )  # fmt: skip
    return cluster.pk


if __name__ == "__main__":
    print(main(sys.argv[1]))
