"""Sums over a cluster's inventory, kept so that no page adds up thousands of rows."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class ClusterFigures(models.Model):
    """What clusters.figures.refresh() found in one cluster's rows. CPU in cores, memory in bytes.

    Requests and limits are those of pods that have not ended; allocatable is the
    sum of the nodes'. failing: health "bad"; doubtful: health "warn".
    """

    cluster = models.OneToOneField(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="figures", primary_key=True
    )
    nodes = models.PositiveIntegerField(default=0)
    nodes_failing = models.PositiveIntegerField(default=0)
    cpu_allocatable = models.FloatField(default=0)
    memory_allocatable = models.FloatField(default=0)
    pods_allocatable = models.FloatField(default=0)
    cpu_request = models.FloatField(default=0)
    cpu_limit = models.FloatField(default=0)
    memory_request = models.FloatField(default=0)
    memory_limit = models.FloatField(default=0)
    pods = models.PositiveIntegerField(default=0)
    # Pods that have not ended: what counts against pods_allocatable.
    pods_active = models.PositiveIntegerField(default=0)
    pods_pending = models.PositiveIntegerField(default=0)
    pods_failing = models.PositiveIntegerField(default=0)
    pods_doubtful = models.PositiveIntegerField(default=0)
    workloads = models.PositiveIntegerField(default=0)
    workloads_failing = models.PositiveIntegerField(default=0)
    namespaces = models.PositiveIntegerField(default=0)
    updated = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"figures of cluster {self.cluster_id}"
