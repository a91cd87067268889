"""What clusters, nodes, namespaces and pods used: a short history in few rows.

Written only by the watcher. One row holds one moment of up to 256 series
(docs/metrics.md says why, and what it costs).
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tier(models.IntegerChoices):
    """How coarse a row is."""

    RAW = 0, _("Samples")
    MINUTES = 1, _("5 minutes")
    HOURS = 2, _("1 hour")


class Of(models.TextChoices):
    """What a series is about."""

    CLUSTER = "cluster", _("Cluster")
    NODE = "node", _("Node")
    NAMESPACE = "namespace", _("Namespace")
    POD = "pod", _("Pod")


class MetricSeries(models.Model):
    """The name of a number: what a series in MetricFrame is about.

    part: in which rows its figures lie (0: cluster, nodes and namespaces; pods in
    1, 2, … of 256 each). workload_*: the topmost controller of a pod, "" for none
    or while the inventory does not know it. seen: seconds since the epoch, to the hour.
    """

    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="metric_series"
    )
    of = models.CharField(max_length=16, choices=Of)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253, blank=True)
    part = models.PositiveIntegerField(default=0)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload_name = models.CharField(max_length=253, blank=True)
    seen = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("cluster", "of", "namespace", "name"), name="one_series_of_a_name"
            ),
        )
        indexes = (
            models.Index(
                fields=("cluster", "namespace", "workload_kind", "workload_name"),
                name="series_by_workload",
            ),
        )

    def __str__(self) -> str:
        return f"{self.of} {self.namespace}/{self.name}"


class MetricFrame(models.Model):
    """One moment (tier RAW) or window (its start) of one part of a cluster's series.

    time: seconds since the epoch. data: see clusters.metrics.packing. Rows are
    added and removed, never changed.
    """

    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="metric_frames"
    )
    tier = models.PositiveSmallIntegerField(choices=Tier)
    part = models.PositiveIntegerField()
    time = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("cluster", "tier", "part", "time"), name="one_frame_of_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"{self.cluster_id}/{self.tier}/{self.part} at {self.time}"


class MetricState(models.Model):
    """How the collecting of one cluster goes.

    source: "metrics.k8s.io" or "kubelet". time: of the newest frame, asked: of the
    last try (seconds since the epoch). cpu, memory: the cluster's totals in that frame.
    problems: [{"code", "node", "detail"}], worded by clusters.metrics.words.
    rolled_*: up to where coarser frames have been made.
    """

    cluster = models.OneToOneField(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="metric_state"
    )
    source = models.CharField(max_length=32, blank=True)
    time = models.PositiveBigIntegerField(default=0)
    asked = models.PositiveBigIntegerField(default=0)
    cpu = models.FloatField(null=True)
    memory = models.FloatField(null=True)
    problems = models.JSONField(default=list, blank=True)
    rolled_minutes = models.PositiveBigIntegerField(default=0)
    rolled_hours = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"metrics of {self.cluster_id}"
