"""All that is mirrored of one cluster: its reflectors, its writer, and the kinds on demand."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from clusters.inventory.collections import Collection, Custom, collections
from clusters.inventory.discovery import keep_offered
from clusters.inventory.entrance import Entrance
from clusters.inventory.kinds import KINDS
from clusters.inventory.lease import Lease
from clusters.inventory.reflector import Reflector
from clusters.inventory.timing import Timing
from clusters.inventory.writer import Writer
from clusters.inventory.writing import forget
from clusters.kube import Connection
from clusters.models import Object, WatchedKind

# The cluster keeps its events for an hour (kube-apiserver --event-ttl); here a day longer.
EVENTS_KEPT = timedelta(hours=25)
# Of one cluster: one that writes events without end must not fill the database.
MOST_EVENTS = 20_000
MOST_CUSTOM = 50
PULSES_BETWEEN_PRUNING = 30


class Mirror:
    """Used by the cluster's attendance alone; nothing runs before the cluster first answers."""

    def __init__(self, lease: Lease, timing: Timing) -> None:
        self._lease = lease
        self._timing = timing
        self._entrance = Entrance()
        self._writer = Writer(lease, gather=timing.gather)
        self._standard: list[Reflector] = []
        self._custom: dict[tuple[int, str], Reflector] = {}
        self._tidied = False

    def attend(self, server: Connection, pulse: int) -> None:
        """The cluster has just answered: let the reflectors in. Raises LeaseLost."""
        if self._entrance.open(server):
            self.interrupt()  # other credentials: other rights perhaps, and these may end
        if not self._standard:
            self._writer.start()
            self._standard = [self._reflector(collection) for collection in collections()]
        self._follow_wishes()
        if pulse % PULSES_BETWEEN_PRUNING == 1:
            self._prune()
        keep_offered(self._lease, server)

    def away(self) -> None:
        """The cluster does not answer: drop what dead connections still hold open, and wait."""
        self._entrance.close()
        self.interrupt()

    def interrupt(self) -> None:
        """Try anew: the cluster is back, or is reached by another way."""
        for reflector in self._all():
            reflector.interrupt()

    def stop(self) -> None:
        """End soon."""
        self._entrance.end()
        for reflector in self._all():
            reflector.stop()

    def close(self, seconds: float) -> None:
        """End; what has been handed to the writer is written."""
        self.stop()
        self._end(self._all(), seconds)
        self._writer.stop()
        if self._writer.ident is not None:
            self._writer.join(seconds)

    @staticmethod
    def _end(reflectors: list[Reflector], seconds: float) -> None:
        """Stop them; return when they have ended, at the latest after so long for all of them."""
        for reflector in reflectors:
            reflector.stop()
        ends = time.monotonic() + seconds
        for reflector in reflectors:
            reflector.join(max(0.0, ends - time.monotonic()))

    def _all(self) -> list[Reflector]:
        return [*self._standard, *self._custom.values()]

    def _reflector(self, collection: Collection) -> Reflector:
        reflector = Reflector(
            self._lease.cluster_id, collection, self._writer, self._entrance, self._timing
        )
        reflector.start()
        return reflector

    def _follow_wishes(self) -> None:
        """Start what somebody asked for since the last pulse, and end what nobody wants."""
        wishes = WatchedKind.objects.filter(cluster_id=self._lease.cluster_id).order_by("pk")
        wanted = {(wish.pk, wish.version): wish.as_kind for wish in wishes[:MOST_CUSTOM]}
        given_up = [self._custom.pop(key) for key in self._custom.keys() - wanted.keys()]
        self._end(given_up, self._timing.answer)
        if given_up:
            self._writer.drain(self._timing.answer)
        for reflector in given_up:
            forget(self._lease, reflector.collection.name)
        if not self._tidied:
            self._tidy({kind.resource for kind in (*KINDS, *wanted.values())})
        for key in wanted.keys() - self._custom.keys():
            self._custom[key] = self._reflector(Custom(wanted[key]))

    def _tidy(self, known: set[str]) -> None:
        """Remove rows of kinds that were given up while nobody watched this cluster."""
        mine = Object.objects.filter(cluster_id=self._lease.cluster_id)
        others = mine.exclude(resource__in=known).order_by().values_list("resource", flat=True)
        for resource in others.distinct():
            forget(self._lease, resource)
        self._tidied = True

    def _prune(self) -> None:
        with self._lease.holding() as cluster:
            cluster.events.filter(last__lt=timezone.now() - EVENTS_KEPT).delete()
            too_many = cluster.events.order_by("-last", "-id").values_list("last", flat=True)
            if (oldest := too_many[MOST_EVENTS:][:1].first()) is not None:
                cluster.events.filter(last__lte=oldest).delete()
