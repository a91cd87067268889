"""Which watcher process watches which cluster: a lease on the cluster's row.

Every write of the inventory happens inside holding(), so that a process that
was frozen past its lease changes nothing after another has taken over.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clusters.kube.credentials import CERTIFICATE, TOKEN
from clusters.models import Cluster, ClusterStatus

LEASE_SECONDS = 30
WATCHED = (
    ClusterStatus.ACTIVE,
    ClusterStatus.DEGRADED,
    ClusterStatus.UNREACHABLE,
    ClusterStatus.PROVISIONING,
)


class LeaseLost(Exception):
    """The cluster belongs to another watcher now, or is no longer to be watched."""


@dataclass(frozen=True)
class Lease:
    """One cluster, held once (holder: the watcher's host name and process, and a random part)."""

    cluster_id: int
    holder: str

    def renew(self, *, seen: bool, seconds: int = LEASE_SECONDS) -> None:
        """Hold on for another while; seen: the cluster has just answered. Raises LeaseLost."""
        now = timezone.now()
        values = {"watcher_until": now + timedelta(seconds=seconds)}
        if seen:
            values["seen"] = now
        mine = Cluster.objects.filter(
            pk=self.cluster_id, watcher=self.holder, watcher_until__gt=now, status__in=WATCHED
        )
        if not mine.update(**values):
            raise LeaseLost

    def release(self) -> None:
        """Let another watcher take the cluster at once."""
        Cluster.objects.filter(pk=self.cluster_id, watcher=self.holder).update(
            watcher="", watcher_until=None
        )

    @contextmanager
    def holding(self) -> Iterator[Cluster]:
        """A transaction in which the lease is certain. Raises LeaseLost."""
        with transaction.atomic():
            cluster = (
                Cluster.objects.select_for_update()
                .filter(pk=self.cluster_id, watcher=self.holder, watcher_until__gt=timezone.now())
                .first()
            )
            if cluster is None:
                raise LeaseLost
            yield cluster


def claim(holder: str, most: int, seconds: int = LEASE_SECONDS) -> list[Lease]:
    """Take up to `most` clusters that nobody watches (each by compare-and-swap)."""
    now = timezone.now()
    free = Q(watcher_until=None) | Q(watcher_until__lte=now)
    wanted = Cluster.objects.filter(
        free, status__in=WATCHED, secrets__name__in=(CERTIFICATE, TOKEN)
    ).exclude(endpoint="")
    taken = []
    for pk in wanted.order_by("?").values_list("pk", flat=True)[:most]:
        # Of its own for each claim: what a process lost and took again is another lease.
        lease = Lease(pk, f"{holder}:{secrets.token_hex(4)}")
        if Cluster.objects.filter(free, pk=pk).update(
            watcher=lease.holder, watcher_until=now + timedelta(seconds=seconds)
        ):
            taken.append(lease)
    return taken
