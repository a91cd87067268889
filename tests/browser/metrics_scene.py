"""Rows of a cluster with an hour of figures, and a gap in it; prints the cluster's number."""

from __future__ import annotations

import math
import sys
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.inventory.lease import Lease  # noqa: E402
from clusters.kube.metrics_api import Use  # noqa: E402
from clusters.metrics.collector import Round  # noqa: E402
from clusters.metrics.kubelets import Problem  # noqa: E402
from clusters.metrics.store import Store  # noqa: E402
from clusters.models import Cluster, ClusterStatus, Node, Object, Origin, Profile  # noqa: E402


def main(name: str = "measured") -> None:
    now = timezone.now()
    cluster = Cluster.objects.create(
        name=name, origin=Origin.PROVISIONED, profile=Profile.STANDARD,
        status=ClusterStatus.ACTIVE, endpoint="https://10.1.1.1:6443", seen=now,
        watcher="scene", watcher_until=now + timedelta(days=1),
    )  # fmt: skip
    for number in range(3):
        Node.objects.create(
            cluster=cluster,
            name=f"n{number}",
            ready=True,
            allocatable={"cpu": "2", "memory": "4096Mi"},
        )
        Object.objects.create(
            cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace="shop",
            name=f"web-{number}", node=f"n{number}", status="Running",
            summary={"cpu_request": 0.5, "cpu_limit": 1.0, "memory_request": 2.0**28},
        )  # fmt: skip
    store, at = Store(Lease(cluster.pk, "scene")), int(now.timestamp())
    for step in range(118):
        if 40 <= step < 55:
            continue
        seconds = at - 3540 + step * 30
        cpu = 1.6 + math.sin(step / 9) * 0.7
        memory = 2.0**32 + step * 2.0**24
        uses = {("cluster", "", ""): Use(cpu, memory)}
        for number in range(3):
            uses["node", "", f"n{number}"] = Use(cpu / 3, memory / 3)
            uses["pod", "shop", f"web-{number}"] = Use(cpu / 40, memory / 30)
        problems = (Problem("kubelet-away", "n2", "dial tcp 10.1.1.3:10250: connection refused"),)
        store.write(Round("kubelet", uses, problems if step == 117 else ()), seconds)
    print(cluster.pk)


main(*sys.argv[1:])
