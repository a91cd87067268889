"""Lists a collection of a cluster and then follows its changes for as long as the lease holds."""

from __future__ import annotations

import logging
import random
import threading
import time

from clusters.inventory.backoff import Backoff
from clusters.inventory.bounds import Held
from clusters.inventory.collections import Collection, Entry, Key
from clusters.inventory.entrance import Entrance
from clusters.inventory.raw import JSON, as_map, text
from clusters.inventory.timing import Timing
from clusters.inventory.writer import Writer
from clusters.inventory.writing import Change
from clusters.kube import Connection, Forbidden, Gone, KubeError, NotFound, UnexpectedAnswer, Watch

logger = logging.getLogger(__name__)

# Answers that say: not this kind, whatever is tried. 405 and 406 are for servers that cannot
# list it, or not in the representation without values.
NOT_SERVED = (403, 404, 405, 406)
LONGEST_RETRY_AFTER = 300
# Refusals of a kind before the cluster's page says that it is not seen.
PATIENCE = 2
# As how many objects a page counts that has none.
EMPTY_PAGE = 50


class _TooMany(Exception):
    """The cluster lists more objects of the kind than the console keeps."""


class Reflector(threading.Thread):
    """One collection of one cluster, mirrored on a thread of its own.

    It turns objects into rows and hands them to the cluster's writer; it never
    touches the database.
    """

    def __init__(
        self,
        cluster_id: int,
        collection: Collection,
        writer: Writer,
        entrance: Entrance,
        timing: Timing,
    ) -> None:
        super().__init__(name=f"reflector-{cluster_id}-{collection.name}", daemon=True)
        self.collection = collection
        self._cluster_id = cluster_id
        self._writer = writer
        self._entrance = entrance
        self._timing = timing
        self._backoff = Backoff(timing.first_pause, timing.longest_pause)
        self._refusals = Backoff(timing.first_pause, timing.rarely)
        self._refused = 0
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._relist = threading.Event()
        self._watch: Watch | None = None
        # Where the watch goes on; empty: a list comes first.
        self._version = ""
        self._epoch = 0
        self._listed = 0.0
        self._noted: str | None = None
        self._held = Held()

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

    def relist(self) -> None:
        """List anew soon: the rows lack something that was handed over."""
        self._noted = None
        self._relist.set()
        self.interrupt()

    def run(self) -> None:
        """List, watch, and again after every fault, until stopped."""
        while not self._ended.is_set():
            self._wake.clear()
            began = time.monotonic()
            try:
                self._once()
                # A server that ends every watch at once must not be asked in a tight loop.
                pause = 0.0 if time.monotonic() - began > 1 else self._backoff.next()
            except Gone as error:
                self._version = ""
                pause = self._backoff.next()
                logger.info("cluster %s: %s", self._cluster_id, error.cause)
            except KubeError as error:
                if isinstance(error, UnexpectedAnswer) and error.status in (0, 400):
                    self._version = ""  # a watch from here was refused, or told nonsense
                pause = self._after(error)
                logger.info("cluster %s: %s", self._cluster_id, error.cause)
            except _TooMany:
                self._version = ""
                pause = self._refusals.next()
            except Exception:
                # A fault of ours with one answer must not end the watching of a kind for good.
                self._version = ""
                pause = self._timing.longest_pause
                logger.exception("cluster %s: %s", self._cluster_id, self.collection.name)
            self._wake.wait(pause)

    def _after(self, error: KubeError) -> float:
        """Seconds to pause after a fault."""
        if error.status in NOT_SERVED:
            self._version = ""
            another = isinstance(error, NotFound) and self.collection.another_version()
            if not another:
                # A cluster that has just been made grants its rights moments later; after that
                # they change seldom, as versions do.
                self._refused += 1
                if self._refused > PATIENCE:
                    self._note(error)
                return self._refusals.next()
        asked = min(error.retry_after, LONGEST_RETRY_AFTER)
        return max(self._backoff.next(), float(asked))

    def _note(self, error: KubeError | None) -> None:
        """Let the cluster's row say that this kind is not watched, and why; None: it is."""
        reason = str(error) if error else ""
        if isinstance(error, NotFound):
            reason = f"The cluster does not serve {self.collection.path}."
        elif isinstance(error, Forbidden):
            reason = f"The console may not list {self.collection.name}: {error.cause}"
        self._note_text(reason)

    def _note_text(self, reason: str) -> None:
        if reason != self._noted:
            self._tell(note=reason)
            self._noted = reason

    def _tell(
        self,
        *,
        entries: list[Entry] | None = None,
        gone: Key | None = None,
        complete: frozenset[Key] | None = None,
        note: str | None = None,
    ) -> None:
        change = Change(self, self._epoch, entries or (), (gone,) if gone else (), complete, note)
        if not self._writer.put(change):
            self._ended.set()

    def _once(self) -> None:
        server = self._entrance.wait(self._timing.longest_pause)
        if server is None or self._ended.is_set():
            return
        if self._relist.is_set() or time.monotonic() > self._listed + self._timing.relist:
            self._version = ""
        if not self._version:
            self._list(server)
            if self._relist.is_set():
                return
        collection = self.collection
        seconds = self._timing.watch
        with server.watch(
            collection.path, self._version, seconds, accept=collection.accept_watch
        ) as watch:
            self._watch = watch
            try:
                if not self._ended.is_set() and not self._relist.is_set():
                    self._follow(watch)
            finally:
                self._watch = None

    def _list(self, server: Connection) -> None:
        self._relist.clear()
        self._epoch += 1
        keys: set[Key] = set()
        version = ""
        told = 0
        for page in server.pages(
            self.collection.path,
            self._read,
            timeout=self._timing.page,
            accept=self.collection.accept,
        ):
            if page.first:
                keys.clear()
            entries = self._held.that_fit(page.content, keys)
            self._tell(entries=entries)
            # A server may also tell of the same objects again and again, or of none.
            told += len(page.content) or EMPTY_PAGE
            if len(entries) < len(page.content) or self._held.too_many(told):
                self._stop_list(keys)
            version = page.resource_version
            if self._ended.is_set():
                return
        if not version:
            raise UnexpectedAnswer(f"The list of {self.collection.path} has no resource version.")
        self._tell(complete=frozenset(keys), note="")
        self._held.only(keys)
        self._refused = 0
        self._refusals.reset()
        self._noted = ""
        self._version = version
        # Not all clusters in the same second.
        self._listed = time.monotonic() - self._timing.relist * random.uniform(0, 0.25)  # noqa: S311
        self._backoff.reset()

    def _stop_list(self, keys: set[Key]) -> None:
        """Keep what the list told so far, and nothing else, whatever else it would tell.

        Not watched: a watch begins where a list ended, and this one has no end. Listed again
        more and more rarely. Raises _TooMany.
        """
        self._tell(complete=frozenset(keys))
        self._held.only(keys)
        self._note_text(
            f"The cluster lists more than {self._held.most} {self.collection.name}: only the first "
            f"{len(keys)} are kept, and looked at from time to time. Remove what nobody needs "
            "there, or raise FLOTILLA_MAX_OBJECTS."
        )
        logger.warning("cluster %s: too many %s", self._cluster_id, self.collection.name)
        raise _TooMany

    def _read(self, page: JSON) -> list[Entry]:
        if not self.collection.is_page(page):
            raise UnexpectedAnswer(f"The answer for {self.collection.path} is no list of objects.")
        entry, items = self.collection.entry, self.collection.items(page)
        return [found for item in items if (found := entry(self._cluster_id, item))]

    def _follow(self, watch: Watch) -> None:
        for event in watch:
            if self._ended.is_set() or self._relist.is_set():
                return
            item = self.collection.item(event["object"])
            version = text(as_map(item.get("metadata")).get("resourceVersion"), 64)
            self._in_order(version)
            kind = event.get("type")
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                entry = self.collection.entry(self._cluster_id, item)
                if entry is not None and kind == "DELETED":
                    self._tell(gone=entry.key)
                    self._held.gone(entry.key)
                elif entry is not None:
                    self._may_grow(entry.key)
                    self._tell(entries=[entry])
            self._backoff.reset()
            self._version = version or self._version

    def _may_grow(self, key: Key) -> None:
        """Raise Gone when a watch tells of more objects than are kept: a list shows what is so."""
        if self._held.is_full_for(key):
            raise Gone(f"The watch of {self.collection.name} tells of more than {self._held.most}.")

    def _in_order(self, version: str) -> None:
        """Raise Gone when a watch goes back in time.

        Such an event may be older than the row, or the row older than it: a
        version is compared with that of the stream, never of another object, and
        only a new list tells what is true. The same version twice is harmless.
        """
        now, then = version, self._version
        numbers = now.isdecimal() and then.isdecimal() and len(now) <= 20 and len(then) <= 20
        if self.collection.ordered and numbers and int(now) < int(then):
            raise Gone(f"The watch of {self.collection.name} went from {then} to {now}.")
