"""The websocket of a pod's or a workload's log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils.translation import gettext as _

from clusters import pod_audit
from clusters.consumers_pods import ObjectConsumer
from clusters.kube.logs import LogLine
from clusters.log_backlog import Backlog, Place, gather
from clusters.log_follow import Follower, Note
from clusters.log_options import BadOption, LogOptions, options_of
from clusters.log_sources import MOST_SOURCES, Source, sources_of
from clusters.models import Object
from clusters.slots import Slots
from console.live.guarded import BAD_REQUEST, TOO_MANY, Paced
from console.live.handover import Handover, on_own_thread

BATCH_SECONDS = 0.1
FRAME_BYTES = 96 * 1024
FRAMES = 8  # that the browser may be behind
WAITING_BYTES = 512 * 1024  # between the reading threads and the browser
LOOK_SECONDS = 3.0  # how often a workload's pods are looked up again
RESUME_SECONDS = 5.0
RETRY_SECONDS = 15  # what is said to those who find no place over HTTP

Entry = tuple[Source, LogLine | Note]
streams = Slots(lambda: settings.LOG_STREAMS, lambda: settings.LOG_STREAMS_PER_USER)


@dataclass(frozen=True)
class _Wanted:
    options: LogOptions
    places: dict[str, Place]  # by source name: what the browser has already


class LogConsumer(ObjectConsumer):
    """…/log/?container=&previous=&show=&opening=&resume=1

    Frames: {"frame": n, "lines": [{"time", "source", "text"} or {"source", "note", "values"}]},
    first {"sources": [...], "left_out": n}, at last {"end": true}; {"error", "mend"} before it
    closes.
    The browser answers {"ack": n}; with ?resume=1 it sends {"resume": {source: [time, count]}}
    first, and gets what comes after these places.
    """

    permission = "clusters.logs"
    audit = "pod.logs_read"

    async def run(self) -> None:
        """Send what was printed so far, then what is printed from now on."""
        self._paced, self._frame = Paced(FRAMES), 0
        try:
            options = options_of(self.query)
        except BadOption as bad:
            await self._fail(f"{bad.name}: {bad.problem}", "", BAD_REQUEST)
            return
        await database_sync_to_async(self._record)()
        if self.trouble is not None:
            await self._fail(self.trouble.cause, self.trouble.mend)
            return
        wanted = _Wanted(options, await self._resumed())
        everything = await self._sources(options.container)
        sources = everything[:MOST_SOURCES]
        self._taken = streams.take(len(sources), self.user.pk)
        if self._taken < len(sources):
            await self._give_back()
            await self._fail(*busy(self.user.pk, len(sources)), TOO_MANY)
            return
        try:
            await self.say(
                sources=[source.name for source in sources],
                left_out=len(everything) - len(sources),
            )
            await self._send_all(wanted, sources)
        finally:
            await self._give_back()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Acknowledgements, and once the places from which to go on."""
        try:
            message = orjson.loads(text_data or "")
        except orjson.JSONDecodeError:
            return
        if not isinstance(message, dict) or not hasattr(self, "_paced"):
            return
        if "ack" in message:
            self._paced.taken(message["ack"])
        places = getattr(self, "_places", None)
        if isinstance(message.get("resume"), dict) and places is not None and not places.done():
            places.set_result(places_of(message["resume"]))

    async def _resumed(self) -> dict[str, Place]:
        if self.query.get("resume") != "1":
            return {}
        self._places: asyncio.Future[dict[str, Place]] = asyncio.Future()
        try:
            await self.say(ready=True)
            return await asyncio.wait_for(self._places, RESUME_SECONDS)
        except TimeoutError:
            return {}

    async def _send_all(self, wanted: _Wanted, sources: Sequence[Source]) -> None:
        options = wanted.options
        fresh = [source for source in sources if source.name not in wanted.places]
        asked = [(source, options.query(source.container)) for source in fresh]
        backlog = Backlog()
        if asked:
            backlog = await on_own_thread(gather, self.doer, self._namespace, asked)
        places = dict(wanted.places)
        entries: list[Entry] = []
        for source, line in backlog.merged():
            places.setdefault(source.name, Place()).move(line)
            entries.append((source, line))
        if options.previous:
            entries += [(s, Note("none", {"cause": e.cause})) for s, e in backlog.errors.items()]
            entries += [(s, Note("away", {"cause": ""})) for s in backlog.late]
        await self._send(entries)
        await self.say(caught_up=True, cut=backlog.cut)
        if options.previous:
            await self.say(end=True)
            return
        await self._follow(options, list(sources), places)

    async def _follow(
        self, options: LogOptions, sources: list[Source], places: dict[str, Place]
    ) -> None:
        handover: Handover[Entry] = Handover(WAITING_BYTES)
        followers: dict[str, Follower] = {}

        def put(source: Source, entry: LogLine | Note) -> bool:
            size = len(entry.text) + 100 if isinstance(entry, LogLine) else 100
            return handover.put((source, entry), size)

        def begin(new: Sequence[Source]) -> None:
            for source in new:
                query = options.query(source.container, follow=True)
                place = places.get(source.name, Place())
                follower = Follower(self.doer, self._namespace, source, query, place, put)
                followers[source.name] = follower
                follower.start()

        try:
            begin(sources)
            await self._pump(options, handover, followers, begin)
        finally:
            handover.close()
            for follower in followers.values():
                follower.stop()

    async def _pump(
        self, options: LogOptions, handover: Handover[Entry], followers: Any, begin: Any
    ) -> None:
        looked = time.monotonic()
        while True:
            try:
                entries = await asyncio.wait_for(handover.take(), 1.0)
            except TimeoutError:
                entries = []
            await self._send(entries)
            if entries:
                await asyncio.sleep(BATCH_SECONDS)
            if time.monotonic() - looked > LOOK_SECONDS and self._many:
                looked = time.monotonic()
                await self._join_new(options, followers, begin)
            elif not entries and not self._many and not any(f.alive for f in followers.values()):
                await self._send(await self._rest(handover))
                await self.say(end=True)
                return

    async def _rest(self, handover: Handover[Entry]) -> list[Entry]:
        # The last thread may have put its last entry between the look at both.
        try:
            return await asyncio.wait_for(handover.take(), 0.05)
        except TimeoutError:
            return []

    async def _join_new(self, options: LogOptions, followers: Any, begin: Any) -> None:
        """Pods that a workload has made meanwhile are followed, too."""
        alive = sum(follower.alive for follower in followers.values())
        # The places of those that have ended: a CronJob's pods would take all that there are.
        streams.give(self._taken - alive, self.user.pk)
        self._taken = alive
        now = await self._sources(options.container)
        new = [source for source in now if source.name not in followers]
        count = streams.take(min(len(new), max(0, MOST_SOURCES - alive)), self.user.pk)
        self._taken += count
        if count:
            names = [*followers, *(source.name for source in new[:count])]
            await self.say(sources=names, left_out=len(new) - count)
            begin(new[:count])

    async def _send(self, entries: Sequence[Entry]) -> None:
        lines: list[dict[str, Any]] = []
        size = 0
        for source, entry in entries:
            lines.append(as_json(source, entry))
            size += len(entry.text) + 100 if isinstance(entry, LogLine) else 100
            if size > FRAME_BYTES:
                await self._send_frame(lines)
                lines, size = [], 0
        if lines:
            await self._send_frame(lines)

    async def _send_frame(self, lines: list[dict[str, Any]]) -> None:
        await self._paced.room()
        self._frame += 1
        await self.say(frame=self._frame, lines=lines)

    async def _fail(self, error: str, mend: str, code: int = 1000) -> None:
        await self.say(error=error, mend=mend)
        await self.close(code)

    async def _give_back(self) -> None:
        taken, self._taken = self._taken, 0
        streams.give(taken, self.user.pk)

    async def _sources(self, container: str) -> list[Source]:
        found: list[Source] = await database_sync_to_async(sources_of)(self._object, container)
        return found

    @property
    def _object(self) -> Object:
        assert self.row is not None
        return self.row

    @property
    def _namespace(self) -> str:
        return self._object.namespace

    @property
    def _many(self) -> bool:
        return self._object.resource != "pods"

    def _record(self) -> None:
        row = self._object
        if not pod_audit.is_recorded(self.query.get("opening", ""), self.user, row):
            pod_audit.recorded("pod.logs_read", self.user, row.cluster, pod_audit.place(row),
                               scope=self.scope, after=pod_audit.asked(self.query))  # fmt: skip


def as_json(source: Source, entry: LogLine | Note) -> dict[str, Any]:
    """One entry of a frame."""
    if isinstance(entry, Note):
        return {"source": source.name, "note": entry.code, "values": dict(entry.values)}
    found = {"time": entry.time, "source": source.name, "text": entry.text}
    return {**found, "cut": True} if entry.cut else found


def places_of(given: dict[Any, Any]) -> dict[str, Place]:
    """What a browser says it has read; entries that cannot be are passed over."""
    found = {}
    for name, value in list(given.items())[: MOST_SOURCES * 2]:
        match value:
            case [str() as stamp, int() as count] if len(stamp) < 64 and 0 < count < 10**6:
                found[str(name)[:600]] = Place(stamp, count)
    return found


def busy(person: int, count: int = 1) -> tuple[str, str]:
    """Why so many more logs are not followed for a person (a user's number), and what to do."""
    if streams.free_for(person) < count:
        most = settings.LOG_STREAMS_PER_USER
        said = _("One person may follow %(most)d containers' logs at a time.")
        mend = _("Close other log pages or downloads, or choose one container.")
        return said % {"most": most}, mend
    return (
        _("This console already follows %(most)d containers' logs.")
        % {"most": settings.LOG_STREAMS},
        _("Close other log pages, choose one container, or set FLOTILLA_LOG_STREAMS higher."),
    )
