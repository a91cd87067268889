"""Collects one cluster's metrics for as long as the lease holds."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from django.db import DatabaseError, connections
from django.utils import timezone

from clusters.inventory.lease import Lease, LeaseLost
from clusters.kube import KubeError, connect
from clusters.metrics.collector import Collector, Round
from clusters.metrics.kubelets import Problem
from clusters.metrics.store import Store
from clusters.metrics.timing import MetricsTiming
from clusters.models import Cluster, ClusterStatus

logger = logging.getLogger(__name__)


class MetricsWatch(threading.Thread):
    """One cluster's rounds. way(): "https://host:port" of a member to go through, or "".

    A thread for each cluster, which sleeps most of the time: a cluster whose
    kubelets hang holds up itself alone.
    """

    def __init__(
        self,
        lease: Lease,
        timing: MetricsTiming | None = None,
        way: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__(name=f"metrics-{lease.cluster_id}", daemon=True)
        self._lease = lease
        self._timing = timing or MetricsTiming()
        self._way = way
        self._ended = threading.Event()
        self._collector = Collector(self._timing)
        self._store = Store(lease)

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def run(self) -> None:
        """Round after round until stopped or the lease is lost."""
        # Clusters that are taken together are not asked together.
        pause = random.uniform(0.0, min(self._timing.period / 2, 5.0))  # noqa: S311
        try:
            while not self._ended.wait(pause):
                began = timezone.now().timestamp()
                try:
                    self._once()
                except DatabaseError as error:
                    self._store.forget()
                    logger.warning("cluster %s: database: %s", self._lease.cluster_id, error)
                except LeaseLost:
                    raise
                except Exception:
                    # A fault of ours with one answer must not end the collecting for good.
                    self._store.forget()
                    logger.exception("cluster %s: metrics", self._lease.cluster_id)
                finally:
                    connections.close_all()
                took = max(timezone.now().timestamp() - began, 0.0)
                jitter = random.uniform(-self._timing.jitter, self._timing.jitter)  # noqa: S311
                pause = max(self._timing.period + jitter - took, self._timing.period / 4)
        except LeaseLost:
            return

    def _once(self) -> None:
        cluster = Cluster.objects.filter(pk=self._lease.cluster_id).first()
        if cluster is None:
            raise LeaseLost
        found = self._asked(cluster)
        self._store.write(found, int(timezone.now().timestamp()))

    def _asked(self, cluster: Cluster) -> Round:
        through = self._way()
        if cluster.status == ClusterStatus.UNREACHABLE and not through:
            # The pulse says so every few seconds: no need to wait for a cluster once more.
            return Round("", {}, (Problem("cluster-away"),))
        nodes = dict(cluster.nodes.values_list("name", "ready"))
        try:
            conn = connect(cluster, through)
        except KubeError as error:
            return Round("", {}, (Problem("cluster-away", "", error.cause[:500]),))
        connections.close_all()  # a round may take seconds
        return self._collector.collect(conn, nodes, self._ended.is_set)
