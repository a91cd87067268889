"""A resource pool of the given cluster; prints the pool's number."""

from __future__ import annotations

import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.models import ResourcePool  # noqa: E402

pool = ResourcePool.objects.create(
    cluster_id=int(sys.argv[1]), name="gold", description="Machines with fast disks",
    nodes=["n0", "n1", "gone"], labels={"disk": "ssd"},
    taints=[{"key": "team", "value": "shop", "effect": "NoSchedule"}],
    problem="gone: the cluster has no node of this name now.", checked=timezone.now(),
    put={"n0": {"labels": {"disk": "ssd"}}, "n1": {"labels": {"disk": "ssd"}}},
)  # fmt: skip
sys.stdout.write(str(pool.pk))
