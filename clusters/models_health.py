"""What the watcher last saw of a cluster's control plane."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from clusters.control_plane_page import ControlPlanePage

# Three looks at the slow pace: one may be late, one may be lost with a watcher that ended.
FRESH = timedelta(seconds=35)


class ControlPlaneHealth(models.Model):
    """One cluster's control plane: every layer of every member, and what is wrong with it.

    Written only by the watcher, under its lease. data: see
    clusters.inventory.control_plane_data; problems: [{code, level, member,
    values, what, mend}]; changed: when anything but a figure last changed;
    probed: the last look. etcd_revision is the highest that was ever seen: a
    restore must go above it, or watchers would see time go backwards.
    """

    cluster = models.OneToOneField(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="control_plane_health"
    )
    data = models.JSONField(default=dict)
    problems = models.JSONField(default=list)
    etcd_revision = models.BigIntegerField(default=0)
    changed = models.DateTimeField(default=timezone.now)
    probed = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"control plane of {self.cluster_id}"

    @property
    def fresh(self) -> bool:
        """Whether the last look is recent enough to be called live."""
        return timezone.now() - self.probed < FRESH

    @property
    def page(self) -> ControlPlanePage:
        """What templates/clusters/control_plane_layers.html shows."""
        # The page is made of this row: imported the other way round, it would be a cycle.
        from clusters.control_plane_page import page_of

        return page_of(self)
