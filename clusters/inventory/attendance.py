"""One watched cluster: its pulse, its status, and the reflectors that mirror it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from django.db import DatabaseError, connections
from django.utils import timezone

from clusters.inventory.lease import LEASE_SECONDS, Lease, LeaseLost
from clusters.inventory.nodes import Nodes
from clusters.inventory.reflector import Backoff, Reflector
from clusters.kube import KubeError, connect, disconnect
from clusters.models import Cluster, ClusterStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds between pulses, of a lease, and of pauses after faults; tests make them short."""

    pulse: float = 10.0
    answer: float = 5.0
    lease: int = LEASE_SECONDS
    watch: int = 240
    first_pause: float = 1.0
    longest_pause: float = 30.0
    # Pulses that must fail in a row before the cluster counts as unreachable.
    misses: int = 2
    # Pulses between two looks at the server's version.
    version_every: int = 60


class Attendance(threading.Thread):
    """Watches one cluster for as long as its lease holds.

    The pulse asks /readyz: a watch alone stays silent both when nothing
    happens and when the cluster is gone.
    """

    def __init__(self, lease: Lease, timing: Timing) -> None:
        super().__init__(name=f"cluster-{lease.cluster_id}", daemon=True)
        self.lease = lease
        self._timing = timing
        self._ended = threading.Event()
        self._missed = 0
        self._pulses = 0
        self._reflectors = [
            Reflector(
                lease,
                collection,
                backoff=Backoff(timing.first_pause, timing.longest_pause),
                watch_seconds=timing.watch,
            )
            for collection in (Nodes(),)
        ]

    def stop(self) -> None:
        """End soon and give the lease back."""
        self._ended.set()
        for reflector in self._reflectors:
            reflector.stop()

    def run(self) -> None:
        """Pulse after pulse until stopped or the lease is lost."""
        for reflector in self._reflectors:
            reflector.start()
        try:
            while not self._ended.is_set():
                try:
                    self._pulse()
                except DatabaseError as error:
                    logger.warning("cluster %s: database: %s", self.lease.cluster_id, error)
                finally:
                    connections.close_all()
                self._ended.wait(self._timing.pulse)
        except LeaseLost:
            logger.info("cluster %s: no longer watched from here", self.lease.cluster_id)
        finally:
            self._close()

    def _close(self) -> None:
        for reflector in self._reflectors:
            reflector.stop()
        for reflector in self._reflectors:
            reflector.join(self._timing.answer)
        disconnect(self.lease.cluster_id)
        try:
            self.lease.release()
        except DatabaseError as error:
            logger.warning("cluster %s: lease not returned: %s", self.lease.cluster_id, error)
        connections.close_all()

    def _pulse(self) -> None:
        cluster = Cluster.objects.filter(pk=self.lease.cluster_id).first()
        if cluster is None:
            raise LeaseLost
        version = ""
        try:
            server = connect(cluster)
            server.readyz(self._timing.answer)
            if self._pulses % self._timing.version_every == 0 or self._missed:
                version = server.version()
        except KubeError as error:
            self._away(cluster, error)
        else:
            self._here(cluster, version)

    def _here(self, cluster: Cluster, version: str) -> None:
        self.lease.renew(seen=True, seconds=self._timing.lease)
        self._pulses += 1
        was_away = self._missed >= self._timing.misses
        self._missed = 0
        if cluster.status == ClusterStatus.UNREACHABLE:
            self._change(ClusterStatus.UNREACHABLE, ClusterStatus.ACTIVE, "")
        if version and version[:32] != cluster.version:
            with self.lease.holding() as held:
                held.version = version[:32]
                held.save(update_fields=["version"])
        if was_away:
            for reflector in self._reflectors:
                reflector.interrupt()

    def _away(self, cluster: Cluster, error: KubeError) -> None:
        self.lease.renew(seen=False, seconds=self._timing.lease)
        self._missed += 1
        if self._missed < self._timing.misses:
            return
        if self._missed == self._timing.misses:
            for reflector in self._reflectors:
                reflector.interrupt()  # what a dead connection still holds open
        if cluster.status == ClusterStatus.ACTIVE:
            self._change(ClusterStatus.ACTIVE, ClusterStatus.UNREACHABLE, str(error))
        elif cluster.status == ClusterStatus.UNREACHABLE and cluster.status_reason != str(error):
            Cluster.objects.filter(
                pk=cluster.pk, watcher=self.lease.holder, status=ClusterStatus.UNREACHABLE
            ).update(status_reason=str(error))

    def _change(self, old: ClusterStatus, new: ClusterStatus, reason: str) -> None:
        # Compare-and-swap: a deletion that began meanwhile keeps its status.
        changed = Cluster.objects.filter(
            pk=self.lease.cluster_id, watcher=self.lease.holder, status=old
        ).update(status=new, status_reason=reason, status_since=timezone.now())
        if changed:
            logger.info("cluster %s: %s %s", self.lease.cluster_id, new, reason)
