"""What a cluster is to have and what is counted of it, kept so for as long as the lease holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import DatabaseError, connections

from clusters import access, figures
from clusters.inventory.lease import Lease, LeaseLost
from clusters.kube import Connection, KubeError, connect
from clusters.models import Cluster, ClusterStatus, ResourcePool
from clusters.pools import MOST_PROBLEM, reconcile

logger = logging.getLogger(__name__)

PERIOD = 5.0  # as Timing.upkeep
ACCESS_SECONDS = 600.0
# Until people can act: the roles may be applied by hand any time, or the cluster be back.
ACCESS_SOON_SECONDS = 30.0
REACHABLE = (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)

# What apps above this one keep on each cluster that answers: called every round with the
# cluster, a connection to it, and held(), to be called before each write; it raises when the
# lease is lost. What it raises of KubeError is logged and tried again next time.
Keeper = Callable[[Cluster, Connection, Callable[[], None]], None]
_keepers: dict[str, Keeper] = {}


def register(name: str, keeper: Keeper) -> None:
    """Have something kept on every cluster; name is what the log calls it."""
    _keepers[name] = keeper


class Upkeep(threading.Thread):
    """One cluster's rounds: figures of its rows, roles for people, resource pools.

    way(): "https://host:port" of a member to go through, or "". A thread of its own:
    calls may take longer than the pulse that keeps the lease may wait.
    """

    def __init__(
        self, lease: Lease, period: float = PERIOD, way: Callable[[], str] = lambda: ""
    ) -> None:
        super().__init__(name=f"upkeep-{lease.cluster_id}", daemon=True)
        self._lease = lease
        self._period = period
        self._way = way
        self._ended = threading.Event()
        self._counted = -1
        self._access_at = 0.0
        self._console_in: tuple[bool, str] | None = None
        self._said: dict[str, str] = {}

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def run(self) -> None:
        """Round after round until stopped or the lease is lost."""
        try:
            while not self._ended.is_set():
                try:
                    self._once()
                except DatabaseError as error:
                    logger.warning("cluster %s: database: %s", self._lease.cluster_id, error)
                except LeaseLost:
                    raise
                except Exception:
                    # A fault of ours with one answer must not end figures, roles and pools.
                    logger.exception("cluster %s: upkeep", self._lease.cluster_id)
                finally:
                    connections.close_all()
                self._ended.wait(self._period)
        except LeaseLost:
            return

    def _once(self) -> None:
        cluster = Cluster.objects.filter(pk=self._lease.cluster_id).first()
        if cluster is None:
            return
        self._count(cluster)
        if self._console_in != (cluster.hosts_console, cluster.console_namespace):
            # The roles differ there: at once, and not in ten minutes.
            self._console_in = (cluster.hosts_console, cluster.console_namespace)
            self._access_at = 0.0
        try:
            self._look_after(cluster)
        except KubeError as error:
            ResourcePool.objects.filter(cluster=cluster).update(problem=str(error)[:MOST_PROBLEM])
        if cluster.status in REACHABLE:
            self._keep(cluster)

    def _look_after(self, cluster: Cluster) -> None:
        kept = ResourcePool.objects.filter(cluster=cluster).exists()
        if not kept and time.monotonic() < self._access_at:
            return
        server = connect(cluster, self._way())
        self._let_people_act(cluster, server)
        if kept:
            self._held()
            reconcile(cluster, server, self._held)

    def _keep(self, cluster: Cluster) -> None:
        """What other apps keep; the trouble of one is not that of the others."""
        for name, keeper in _keepers.items():
            try:
                keeper(cluster, connect(cluster, self._way()), self._held)
                said = ""
            except KubeError as error:
                said = str(error)
            if said and said != self._said.get(name):
                logger.warning("cluster %s: %s: %s", cluster.pk, name, said)
            self._said[name] = said

    def _count(self, cluster: Cluster) -> None:
        """The figures anew where the watcher has written something since."""
        if cluster.changes == self._counted:
            return
        self._held()
        figures.refresh(cluster)
        self._counted = cluster.changes

    def _let_people_act(self, cluster: Cluster, server: Connection) -> None:
        if time.monotonic() < self._access_at or cluster.status not in REACHABLE:
            return
        self._held()
        self._access_at = time.monotonic() + ACCESS_SOON_SECONDS
        kept = access.keep(cluster, server)
        if kept.changed:
            logger.info("cluster %s: applied %s", cluster.pk, ", ".join(kept.changed))
        pause = ACCESS_SECONDS if kept.works else ACCESS_SOON_SECONDS
        self._access_at = time.monotonic() + pause

    def _held(self) -> None:
        """Return while the lease is certain and nobody asks to stop. Raises LeaseLost."""
        if self._ended.is_set():
            raise LeaseLost
        with self._lease.holding():
            return
