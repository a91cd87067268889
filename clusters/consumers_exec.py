"""The websocket of a terminal in a container."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter

import orjson
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils.translation import gettext as _

from clusters import pod_audit, terminal_audit
from clusters.consumers_pods import ObjectConsumer
from clusters.kube import KubeError
from clusters.kube.exec import Command, Exit, Terminal, open_terminal
from clusters.slots import Slots
from clusters.terminal_shells import SHELLS
from console.live.guarded import BAD_REQUEST, TOO_MANY, Paced

logger = logging.getLogger(__name__)

FRAME_BYTES = 32 * 1024
FRAMES = 16  # that the browser may be behind: beyond it the program waits
PENDING_BYTES = 1024 * 1024  # typed or pasted, and not yet taken by the container
ENTRY_BYTES = 100  # what each message costs besides, an empty one and a new size, too
MESSAGE_BYTES = 64 * 1024
WARN_SECONDS = 60
LARGEST = 1000  # columns or rows

terminals = Slots(lambda: settings.TERMINALS)
by_user: Counter[int] = Counter()


class ExecConsumer(ObjectConsumer):
    """…/exec/?container=&shell=&columns=&rows=

    Binary frames are what is typed and what is printed. Text frames to the browser:
    {"open": true}, {"idle_in": seconds}, {"exit": code or null, "message"},
    {"closed": why}, {"error", "mend"}; from it: {"resize": [columns, rows]} and
    {"ack": n}, the number of binary frames that it has drawn.
    """

    permission = "clusters.exec"
    audit = "pod.terminal_opened"
    _terminal: Terminal | None = None
    _why = "left"
    _exit_code: int | None = None

    async def run(self) -> None:
        """Start the shell, carry bytes both ways until one side or a limit ends it."""
        self._paced = Paced(FRAMES)
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._pending = 0
        self._size = _size(self.query.get("columns"), self.query.get("rows")) or (80, 24)
        shell = SHELLS.get(self.query.get("shell", "auto"))
        container = self.query.get("container", "")
        if shell is None or len(container) > 63:
            await self._fail(_("There is no such shell or container."), "", BAD_REQUEST)
            return
        if self.trouble is not None:
            await self._fail(self.trouble.cause, self.trouble.mend)
            return
        if by_user[self.user.pk] >= settings.TERMINALS_PER_USER:
            await self._fail(
                _("You have %(most)d terminals open already.")
                % {"most": settings.TERMINALS_PER_USER},
                _("Close one of them."),
                TOO_MANY,
            )
            return
        if not terminals.take():
            await self._fail(
                _("This console has %(most)d terminals open, as many as it may.")
                % {"most": settings.TERMINALS},
                _("Try again later, or set FLOTILLA_TERMINALS higher."),
                TOO_MANY,
            )
            return
        by_user[self.user.pk] += 1
        try:
            await self._converse(container, shell)
        finally:
            by_user[self.user.pk] -= 1
            terminals.give()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """What is typed, a new size, or how much was drawn."""
        if not hasattr(self, "_typed"):
            return
        if bytes_data is not None:
            self._last_typed = time.monotonic()
            await self._queue(bytes_data)
            return
        try:
            message = orjson.loads(text_data or "")
        except orjson.JSONDecodeError:
            return
        if isinstance(message, dict):
            await self._told(message)

    async def _told(self, message: dict[str, object]) -> None:
        if "ack" in message:
            self._paced.taken(message["ack"])
        match message.get("resize"):
            case [int() as columns, int() as rows]:
                size = _size(columns, rows)
                if size and size != self._size:
                    self._size = size
                    # An empty entry: the writer looks at the size, in the order of what is typed.
                    await self._queue(b"")

    async def _queue(self, data: bytes) -> None:
        self._pending += len(data) + ENTRY_BYTES
        if self._pending > PENDING_BYTES or len(data) > MESSAGE_BYTES:
            self._why = "too much input"
            await self.say(
                error=_("The program does not read what was pasted."),
                mend=_("Paste less at a time, or copy a file into the container."),
            )
            await self.end(BAD_REQUEST)
            return
        self._typed.put_nowait(data)

    async def end(self, code: int) -> None:
        """The right has ended, or a limit was passed."""
        if self._why == "left":
            self._why = "right ended"
        await super().end(code)

    async def _converse(self, container: str, shell: tuple[str, ...]) -> None:
        command = Command(self.values["namespace"], self.values["name"], container, shell)
        try:
            self._terminal = await open_terminal(self.doer, command)
        except KubeError as error:
            await asyncio.shield(database_sync_to_async(self._record_refusal)(error.cause))
            await self._fail(error.cause, error.mend)
            return
        started = self._last_typed = time.monotonic()
        write = database_sync_to_async(terminal_audit.opened)
        opening = asyncio.ensure_future(write(self.user, self.row, self.scope, self._asked))
        try:
            # A browser that goes away while this is written must not lose the event.
            await self._carry(self._terminal, started, await asyncio.shield(opening))
        finally:
            await self._terminal.close()
            close = database_sync_to_async(terminal_audit.closed)
            seconds = round(time.monotonic() - started)
            closing = close(
                await opening, seconds=seconds, why=self._why, exit_code=self._exit_code
            )
            await asyncio.shield(closing)

    async def _carry(self, terminal: Terminal, started: float, number: int) -> None:
        await self.say(open=True)
        jobs = [
            asyncio.create_task(self._print(terminal)),
            asyncio.create_task(self._type(terminal)),
            asyncio.create_task(self._limit(started)),
            asyncio.create_task(self._beat(number)),
        ]
        try:
            done, _rest = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                await job
        except KubeError as error:
            self._why = "connection cut"
            await self.say(error=error.cause, mend=error.mend)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _print(self, terminal: Terminal) -> None:
        while True:
            await self._paced.room()
            came = await terminal.read()
            if isinstance(came, Exit):
                self._why, self._exit_code = "exited", came.code
                await self.say(exit=came.code, message=came.message)
                return
            for start in range(0, len(came.data), FRAME_BYTES):
                if start:
                    await self._paced.room()
                await self.send(bytes_data=came.data[start : start + FRAME_BYTES])

    async def _type(self, terminal: Terminal) -> None:
        await terminal.resize(*self._size)
        known = self._size
        while True:
            data = await self._typed.get()
            if self._size != known:
                known = self._size
                await terminal.resize(*known)
            if data:
                await terminal.write(data)
            self._pending -= len(data) + ENTRY_BYTES

    async def _limit(self, started: float) -> None:
        idle, most = settings.TERMINAL_IDLE_SECONDS, settings.TERMINAL_MAX_SECONDS
        warned = False
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            quiet = now - self._last_typed
            if now - started > most or quiet > idle:
                self._why = "open too long" if now - started > most else "idle"
                await self.say(closed=self._why)
                return
            if quiet < 1:
                warned = False
            elif quiet > idle - WARN_SECONDS and quiet > idle / 2 and not warned:
                warned = True
                await self.say(idle_in=round(idle - quiet))

    async def _beat(self, number: int) -> None:
        """Say that it is there, until somebody has written its end: nothing goes on unrecorded."""
        is_open = database_sync_to_async(terminal_audit.is_open)
        while True:
            await asyncio.sleep(terminal_audit.BEAT_SECONDS)
            try:
                if not await is_open(number):
                    self._why = "no longer recorded"
                    await self.say(closed=self._why)
                    return
            except DatabaseError as error:
                logger.warning("terminal %s: database: %s", number, error)

    async def _fail(self, error: str, mend: str, code: int = 1000) -> None:
        await self.say(error=error, mend=mend)
        await self.close(code)

    @property
    def _asked(self) -> dict[str, str]:
        container = self.query.get("container", "")
        return {"container": container, "shell": self.query.get("shell", "auto")}

    def _record_refusal(self, reason: str) -> None:
        assert self.row is not None
        pod_audit.recorded(
            "pod.terminal_opened", self.user, self.row.cluster, pod_audit.place(self.row),
            scope=self.scope, after=self._asked, reason=reason, failed=True,
        )  # fmt: skip


def _size(columns: object, rows: object) -> tuple[int, int] | None:
    with contextlib.suppress(TypeError, ValueError):
        found = int(str(columns)), int(str(rows))
        if all(1 <= number <= LARGEST for number in found):
            return found
    return None
