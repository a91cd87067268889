"""What every websocket that stays open for long shares: the right to it is looked at again and
again, and nothing is sent that the browser does not take."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakSet

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from console.accounts.models import User
from console.accounts.sessions import still_valid

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.8  # a right that ends closes the socket within a second
BAD_REQUEST = 4400
NOT_ALLOWED = 4403
NOT_FOUND = 4404
TOO_MANY = 4429
BROKEN = 1011  # RFC 6455, 7.4.1: an unexpected condition
# Of one person in one process: each asks the database again and again for as long as it is open.
MOST_SOCKETS = 60

_open: defaultdict[int, WeakSet[AsyncWebsocketConsumer]] = defaultdict(WeakSet)


def enter(user_id: int, socket: AsyncWebsocketConsumer) -> bool:
    """Count a websocket of this person until leave(); False when they have too many open."""
    if len(_open[user_id]) >= MOST_SOCKETS:
        return False
    _open[user_id].add(socket)
    return True


def leave(user_id: int | None, socket: AsyncWebsocketConsumer) -> None:
    """The websocket is closed; nothing happens for one that was not counted."""
    if user_id is not None and user_id in _open:
        _open[user_id].discard(socket)
        if not _open[user_id]:
            del _open[user_id]


class Paced:
    """How far a browser is behind: frames that were sent and that it has not said it has taken.

    Servers for websockets keep what a slow browser does not read, without a
    limit; this is the limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sent = self._taken = 0
        self._moved = asyncio.Event()

    async def room(self) -> None:
        """Return once another frame may be sent; count it."""
        while self._sent - self._taken >= self._most:
            self._moved.clear()
            await self._moved.wait()
        self._sent += 1

    def taken(self, count: Any) -> None:
        """The browser has taken so many frames in all. Numbers that cannot be are passed over."""
        if type(count) is int and self._taken < count <= self._sent:
            self._taken = count
            self._moved.set()


class GuardedConsumer(AsyncWebsocketConsumer):
    """A websocket with a permission that ends with the right to it.

    Subclasses name `permission`, look their object up in `found`, and do their
    work in `run`, which is ended when the socket closes. in_namespaces: the permission counts, too,
    where it is held in the place of the address only (console.accounts.places).
    """

    permission = ""
    in_namespaces = False
    _refusal = ("", "")  # cause and mend of a refusal that is more than a missing permission

    async def connect(self) -> None:
        """Check who asks and for what, then run."""
        self.user_id: int | None = getattr(self.scope.get("user"), "pk", None)
        session = self.scope.get("session")
        self._session_key = getattr(session, "session_key", None) or ""
        self.values: dict[str, Any] = self.scope["url_route"]["kwargs"]
        raw = self.scope.get("query_string", b"").decode("ascii", "replace")
        self.query = {name: found[-1] for name, found in parse_qs(raw).items()}
        code = await self._check()
        if not code and not enter(self.user_id or 0, self):
            code = TOO_MANY
        # Accepted first: a browser cannot read the code of a handshake that was refused.
        await self.accept()
        if code:
            await self._say_why()
            await self.close(code)
            return
        self._tasks = [
            asyncio.create_task(self._keep_watch()),
            asyncio.create_task(self._guarded_run()),
        ]

    async def disconnect(self, code: int) -> None:
        """The browser has gone, or the socket was closed here."""
        leave(self.user_id, self)
        for task in getattr(self, "_tasks", ()):
            task.cancel()
        for task in getattr(self, "_tasks", ()):
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    def found(self, user: User) -> bool:
        """In a database thread: look up what this is about; False when it is not there."""
        raise NotImplementedError

    def refused(self, user: User) -> tuple[str, str]:
        """In a database thread, after found(): why the person may not do this to it, and the mend.

        Two empty texts when they may: the permission was looked at before.
        """
        return "", ""

    async def run(self) -> None:
        """Send what there is to send; the socket is closed when it returns."""
        raise NotImplementedError

    async def say(self, **message: Any) -> None:
        """Send one JSON message."""
        await self.send(text_data=orjson.dumps(message).decode())

    async def end(self, code: int) -> None:
        """End the work now and close the socket with the code; subclasses may note why."""
        # Not once the browser says goodbye: it may be far away, or not want to.
        self._tasks[1].cancel()
        await self.close(code)

    async def _check(self) -> int:
        """0, or the code with which to close."""
        if self.user_id is None:
            return NOT_ALLOWED
        return int(await database_sync_to_async(self._check_now)())

    def _check_now(self) -> int:
        address = self.values if self.in_namespaces else None
        if not still_valid(self.user_id, self._session_key, self.permission, address):
            return NOT_ALLOWED
        user = User.objects.filter(pk=self.user_id or 0).first()
        if user is None or not self.found(user):
            return NOT_FOUND
        self._refusal = self.refused(user)
        return NOT_ALLOWED if self._refusal[0] else 0

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            code = await self._check()
            if code:
                await self._say_why()
                await self.end(code)
                return

    async def _say_why(self) -> None:
        cause, mend = self._refusal
        if cause:
            await self.say(error=cause, mend=mend)

    async def _guarded_run(self) -> None:
        try:
            await self.run()
        except Exception:
            # Closed, the browser asks again and says what is wrong; open, it would wait for ever.
            logger.exception("a websocket at %s has failed", self.scope.get("path"))
            await self.close(BROKEN)
        else:
            await self.close()
