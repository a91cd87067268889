"""Credentials of imported clusters that end: what the cluster's page warns of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from clusters.models import Cluster

# Days before the end at which the warning becomes more urgent.
STEPS = (30, 7, 1)


@dataclass(frozen=True)
class Expiry:
    """Credentials that end soon or have ended. step: 30, 7, 1, or 0 when they have."""

    cluster: Cluster
    ends: datetime
    step: int

    @property
    def days(self) -> int:
        """Whole days that are left, 0 on the last one and after."""
        return max(0, (self.ends - timezone.now()).days)

    @property
    def urgent(self) -> bool:
        """Whether they end within a day or have ended."""
        return self.step <= 1


def of_cluster(cluster: Cluster) -> Expiry | None:
    """The warning of one cluster; None while there are more than 30 days."""
    ends = cluster.credentials_expire
    if ends is None:
        return None
    left = ends - timezone.now()
    if left <= timedelta(0):
        return Expiry(cluster, ends, 0)
    within = [step for step in STEPS if left <= timedelta(days=step)]
    return Expiry(cluster, ends, min(within)) if within else None
