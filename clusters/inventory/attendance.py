"""One watched cluster: its pulse, its status, and the reflectors that mirror it."""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from clusters import notices
from clusters.import_check import printable
from clusters.inventory.control_plane import ControlPlaneWatch
from clusters.inventory.lease import Lease, LeaseLost
from clusters.inventory.mirror import Mirror
from clusters.inventory.status import away_reason, skew_reason
from clusters.inventory.timing import Timing
from clusters.kube import Connection, Forbidden, KubeError, connect, disconnect
from clusters.metrics.watch import MetricsWatch
from clusters.models import Cluster, ClusterStatus, Origin
from clusters.upkeep import Upkeep

logger = logging.getLogger(__name__)


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
        self._wake = threading.Event()
        self._missed = 0
        self._pulses = 0
        # "https://host:port" of the member that the watch goes through while the cluster's own
        # entry does not answer; "" while it does.
        self._through = ""
        self._control_plane = ControlPlaneWatch(lease, timing, changed=self._wake.set)
        self._mirror = Mirror(lease, timing)
        # What also goes on while the lease holds, each in a thread of its own.
        self._beside = (
            MetricsWatch(lease, timing.metrics, way=lambda: self._through),
            Upkeep(lease, timing.upkeep, way=lambda: self._through),
        )

    def stop(self) -> None:
        """End soon and give the lease back."""
        self._ended.set()
        self._wake.set()
        self._control_plane.stop()
        self._mirror.stop()
        for watch in self._beside:
            watch.stop()

    def run(self) -> None:
        """Pulse after pulse until stopped or the lease is lost."""
        self._control_plane.start()
        try:
            while not self._ended.is_set():
                self._wake.clear()
                try:
                    self._pulse()
                except DatabaseError as error:
                    logger.warning("cluster %s: database: %s", self.lease.cluster_id, error)
                finally:
                    connections.close_all()
                if not self._ended.is_set():
                    # A look at the control plane that found news does not wait for the pulse.
                    self._wake.wait(self._timing.pulse)
        except LeaseLost:
            logger.info("cluster %s: no longer watched from here", self.lease.cluster_id)
        finally:
            self._close()

    def _close(self) -> None:
        self._control_plane.stop()
        for watch in self._beside:
            watch.stop()
        self._mirror.close(self._timing.answer)
        self._control_plane.join(self._timing.answer)
        for watch in self._beside:
            if watch.ident is not None:
                watch.join(self._timing.answer)
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
        through = ""
        try:
            try:
                server = self._ready(cluster, "")
            except KubeError as error:
                server, through = self._by_a_member(cluster, error)
            version = ""
            if self._pulses % self._timing.version_every == 0 or self._missed:
                version = server.version()
        except KubeError as error:
            self._away(cluster, error)
        else:
            self._here(cluster, version, through)
            self._accompany()
            self._mirror.attend(server, self._pulses)

    def _accompany(self) -> None:
        """From the first answer on: of a cluster that hangs, nothing else waits."""
        for watch in self._beside:
            if watch.ident is None:
                watch.start()

    def _ready(self, cluster: Cluster, through: str) -> Connection:
        server = connect(cluster, through)
        try:
            server.readyz(self._timing.answer)
        except Forbidden:
            # Some providers keep /readyz to themselves; who refuses by name is there.
            server.version()
        return server

    def _by_a_member(self, cluster: Cluster, away: KubeError) -> tuple[Connection, str]:
        """While the endpoint is away: a member whose own API server has just been seen ready.

        Raises `away`, the endpoint's own error, when no member answers either.
        """
        for through in self._control_plane.ways_in():
            try:
                return self._ready(cluster, through), through
            except KubeError as error:
                logger.info("cluster %s: %s", cluster.pk, error.cause)
        raise away

    def _here(self, cluster: Cluster, version: str, through: str) -> None:
        self.lease.renew(seen=True, seconds=self._timing.lease)
        self._pulses += 1
        was_away = self._missed >= self._timing.misses
        self._missed = 0
        another_way = through != self._through
        self._through = through
        self._settle(cluster, self._control_plane.reason() or skew_reason(cluster))
        # Of a cluster that this console made, the version is what it was made or upgraded to.
        ours = cluster.origin == Origin.PROVISIONED and bool(cluster.version)
        version = printable(version)
        if version and not ours and version != cluster.version:
            with self.lease.holding() as held:
                held.version = version
                held.save(update_fields=["version"])
        if was_away or another_way:
            self._mirror.interrupt()

    def _settle(self, cluster: Cluster, reason: str) -> None:
        """The status of a cluster whose API answers, and why it is not simply active."""
        wanted = ClusterStatus.DEGRADED if reason else ClusterStatus.ACTIVE
        settled = (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED, ClusterStatus.UNREACHABLE)
        if cluster.status not in settled:
            return
        if cluster.status != wanted:
            self._change(ClusterStatus(cluster.status), wanted, reason)
        elif reason and cluster.status_reason != reason:
            self._reword(wanted, reason)

    def _away(self, cluster: Cluster, error: KubeError) -> None:
        self.lease.renew(seen=False, seconds=self._timing.lease)
        self._missed += 1
        if self._missed < self._timing.misses:
            return
        if self._missed == self._timing.misses:
            self._mirror.away()
        reason = away_reason(cluster, error)
        if cluster.status in (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED):
            old = ClusterStatus(cluster.status)
            self._change(old, ClusterStatus.UNREACHABLE, reason)
        elif cluster.status == ClusterStatus.UNREACHABLE and cluster.status_reason != reason:
            self._reword(ClusterStatus.UNREACHABLE, reason)

    def _reword(self, status: ClusterStatus, reason: str) -> None:
        """Another reason for the same status; since-when stays."""
        Cluster.objects.filter(
            pk=self.lease.cluster_id, watcher=self.lease.holder, status=status
        ).update(status_reason=reason)

    def _change(self, old: ClusterStatus, new: ClusterStatus, reason: str) -> None:
        # Compare-and-swap: a deletion that began meanwhile keeps its status.
        with transaction.atomic():
            changed = Cluster.objects.filter(
                pk=self.lease.cluster_id, watcher=self.lease.holder, status=old
            ).update(status=new, status_reason=reason, status_since=timezone.now())
            if changed:
                notices.status_changed(self.lease.cluster_id)
        if changed:
            logger.info("cluster %s: %s %s", self.lease.cluster_id, new, reason)
