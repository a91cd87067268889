"""Lists a collection of a cluster and then follows its changes for as long as the lease holds."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from django.db import DatabaseError, connections

from clusters.inventory.lease import Lease, LeaseLost
from clusters.kube import Gone, KubeError, Watch, connect
from clusters.models import Cluster

logger = logging.getLogger(__name__)


class Collection(Protocol):
    """What a reflector mirrors: a path of the API, and the rows that its objects become."""

    path: str

    def replace(self, lease: Lease, items: list[dict[str, Any]]) -> None:
        """Make the rows equal to a complete list."""

    def apply(self, lease: Lease, kind: str, item: dict[str, Any]) -> None:
        """Take one event (ADDED, MODIFIED, DELETED) into the rows."""


class Backoff:
    """Longer and longer pauses with jitter, so that a fleet does not come back in step."""

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self.first, self.most = first, most
        self._failures = 0

    def reset(self) -> None:
        """It went well."""
        self._failures = 0

    def next(self) -> float:
        """Seconds to pause before the next attempt."""
        longest = min(self.most, self.first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 (no secret depends on it)


class Reflector(threading.Thread):
    """One collection of one cluster, mirrored on a thread of its own."""

    def __init__(
        self,
        lease: Lease,
        collection: Collection,
        *,
        backoff: Backoff | None = None,
        watch_seconds: int = 240,
        way: Callable[[], str] = str,
    ) -> None:
        """way: by which member's API server to go in now; "" for the cluster's own endpoint."""
        super().__init__(name=f"reflector-{lease.cluster_id}-{collection.path}", daemon=True)
        self._lease = lease
        self._collection = collection
        self._backoff = backoff or Backoff()
        self._watch_seconds = watch_seconds
        self._way = way
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._watch: Watch | None = None
        # Where the watch goes on; empty: a list comes first.
        self._version = ""

    def stop(self) -> None:
        """End soon, also while waiting for the server."""
        self._ended.set()
        self.interrupt()

    def interrupt(self) -> None:
        """Drop the running watch and try anew: the cluster is away, or is back."""
        self._wake.set()
        watch = self._watch
        if watch is not None:
            watch.stop()

    def run(self) -> None:
        """List, watch, and again after every fault, until stopped or the lease is lost."""
        while not self._ended.is_set():
            self._wake.clear()
            began = time.monotonic()
            try:
                self._once()
                # A server that ends every watch at once must not be asked in a tight loop.
                pause = 0.0 if time.monotonic() - began > 1 else self._backoff.next()
            except LeaseLost:
                return
            except Gone:
                self._version = ""
                pause = self._backoff.next()
            except KubeError as error:
                pause = self._backoff.next()
                logger.info("cluster %s: %s", self._lease.cluster_id, error.cause)
            except DatabaseError as error:
                pause = self._backoff.next()
                logger.warning("cluster %s: database: %s", self._lease.cluster_id, error)
            finally:
                connections.close_all()
            self._wake.wait(pause)

    def _once(self) -> None:
        cluster = Cluster.objects.filter(pk=self._lease.cluster_id).first()
        if cluster is None:
            raise LeaseLost
        server = connect(cluster, self._way())
        if not self._version:
            listing = server.listing(self._collection.path)
            self._collection.replace(self._lease, listing.items)
            self._version = listing.resource_version
            self._backoff.reset()
        connections.close_all()  # a watch may be silent for minutes
        with server.watch(self._collection.path, self._version, self._watch_seconds) as watch:
            self._watch = watch
            try:
                self._follow(watch)
            finally:
                self._watch = None

    def _follow(self, watch: Watch) -> None:
        for event in watch:
            if self._ended.is_set():
                return
            item = event["object"]
            if event.get("type") != "BOOKMARK":
                try:
                    self._collection.apply(self._lease, str(event.get("type")), item)
                except DatabaseError:
                    # This event is not in the rows: only a new list can put that right.
                    self._version = ""
                    raise
                finally:
                    connections.close_all()
            self._backoff.reset()
            metadata = item.get("metadata")
            version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
            self._version = str(version or self._version)
