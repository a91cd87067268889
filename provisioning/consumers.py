"""The websocket of a task's log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from console.accounts.sessions import still_valid
from provisioning import live_log

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.8  # how often a viewer's right to watch is looked at again
NOT_ALLOWED = 4403
BROKEN = 1011  # RFC 6455, 7.4.1: an unexpected condition
NOT_FOUND = 4404
BAD_REQUEST = 4400


class TaskLogConsumer(AsyncWebsocketConsumer):
    """/ws/tasks/{id}/log/?after=N: every line after N once and in order, then the end.

    Frames: {"lines": [...]} and at last {"end": true, "status": ..., "last": N}.
    Closes with 4403 when the right to watch ends, 4404 when the task is gone.
    """

    permission = "tasks.view"

    async def connect(self) -> None:
        """Check who asks and from where to start, then follow the log."""
        user = self.scope.get("user")
        session = self.scope.get("session")
        self._user_id = getattr(user, "pk", None)
        self._session_key = getattr(session, "session_key", None) or ""
        if not await self._allowed():
            await self._refuse(NOT_ALLOWED)
            return
        query = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        after = query.get("after", ["0"])[0]
        if not after.isascii() or not after.isdigit() or len(after) > 18:
            await self._refuse(BAD_REQUEST)
            return
        await self.accept()
        self._sender = asyncio.create_task(
            self._follow(int(self.scope["url_route"]["kwargs"]["task_id"]), int(after))
        )

    async def disconnect(self, _code: int) -> None:
        """The viewer has gone."""
        sender = getattr(self, "_sender", None)
        if sender is not None:
            sender.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Viewers have nothing to say here."""

    async def _refuse(self, code: int) -> None:
        # Accepted first: a browser cannot read the code of a handshake that was refused.
        await self.accept()
        await self.close(code)

    async def _allowed(self) -> bool:
        if self._user_id is None:
            return False
        check = database_sync_to_async(still_valid)
        return bool(await check(self._user_id, self._session_key, self.permission))

    async def _follow(self, task_id: int, seq: int) -> None:
        tail = await live_log.join(task_id)
        try:
            await self._send_lines(tail, seq)
        except Exception:
            # Closed, the viewer asks again and says what is wrong; open, it would wait for ever.
            logger.exception("the log of task %s cannot be sent", task_id)
            await self.close(BROKEN)
        finally:
            live_log.leave(tail)

    async def _send_lines(self, tail: live_log.Tail, seq: int) -> None:
        checked = time.monotonic()
        while True:
            if time.monotonic() - checked > CHECK_SECONDS:
                if not await self._allowed():
                    await self.close(NOT_ALLOWED)
                    return
                checked = time.monotonic()
            if tail.gone:
                await self.close(NOT_FOUND)
                return
            batch = tail.batch
            if batch is not None and batch.after == seq:
                await self.send(text_data=batch.text)
                seq = batch.last
            elif seq < tail.last:
                text, seq = await live_log.frame_after(tail.task_id, seq)
                await self.send(text_data=text)
            elif tail.ended:
                await self._end(tail, seq)
                return
            else:
                await self._wait(tail, seq)

    async def _wait(self, tail: live_log.Tail, seq: int) -> None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                async with tail.changed:
                    await tail.changed.wait_for(lambda: tail.last > seq or tail.ended or tail.gone)
        except TimeoutError:
            return

    async def _end(self, tail: live_log.Tail, seq: int) -> None:
        end: dict[str, Any] = {"end": True, "status": tail.status, "last": seq}
        await self.send(text_data=orjson.dumps(end).decode())
        await self.close()
