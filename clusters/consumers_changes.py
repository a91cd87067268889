"""The websocket that tells open pages which clusters have changed."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from clusters import live_changes
from clusters.rights import reachable_clusters
from console.accounts.models import User
from console.accounts.sessions import still_valid
from console.live.guarded import TOO_MANY, enter, leave

logger = logging.getLogger(__name__)

CHECK_SECONDS = 0.8  # how often a viewer's right to watch is looked at again
NOT_ALLOWED = 4403
BAD_REQUEST = 4400
BROKEN = 1011  # RFC 6455, 7.4.1: an unexpected condition
MOST_CLUSTERS = 200


class ChangesConsumer(AsyncWebsocketConsumer):
    """/ws/clusters/changes/?clusters=1,2: the counters of these clusters, or of all, as they move.

    Frames: {"clusters": {"7": 123}}, first of all that may be seen, then of those
    that moved; a cluster that is gone has null. Carries no data: pages ask for
    that themselves. Closes with 4403 when the right to watch ends, with 4429 when
    the person has too many websockets open.
    """

    permission = "clusters.view"
    in_namespaces = True

    async def connect(self) -> None:
        """Check who asks and for what, then tell."""
        user, session = self.scope.get("user"), self.scope.get("session")
        self._user_id = getattr(user, "pk", None)
        self._session_key = getattr(session, "session_key", None) or ""
        visible = await self._visible()
        if visible is None:
            await self._refuse(NOT_ALLOWED)
            return
        query = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        wanted = _numbers(query.get("clusters", [""])[0])
        if wanted is None:
            await self._refuse(BAD_REQUEST)
            return
        if not enter(self._user_id or 0, self):
            await self._refuse(TOO_MANY)
            return
        await self.accept()
        self._sender = asyncio.create_task(self._follow(wanted, visible))

    async def disconnect(self, _code: int) -> None:
        """The viewer has gone."""
        leave(self._user_id, self)
        sender = getattr(self, "_sender", None)
        if sender is not None:
            sender.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Viewers have nothing to say here."""

    async def _refuse(self, code: int) -> None:
        # Accepted first: a browser cannot read the code of a handshake that was refused.
        await self.accept()
        await self.close(code)

    async def _visible(self) -> set[int] | None:
        found: set[int] | None = await _visible_to(
            self._user_id, self._session_key, self.permission
        )
        return found

    async def _follow(self, wanted: set[int], visible: set[int]) -> None:
        changes = await live_changes.join()
        try:
            await self._tell(changes, wanted, visible)
        except Exception:
            # Closed, the page asks again; open, it would wait for ever.
            logger.exception("the clusters' changes cannot be sent")
            await self.close(BROKEN)
        finally:
            live_changes.leave(changes)

    async def _tell(
        self, changes: live_changes.Changes, wanted: set[int], visible: set[int]
    ) -> None:
        checked = time.monotonic()
        told: dict[int, Any] = {}
        first = True
        while True:
            if time.monotonic() - checked > CHECK_SECONDS:
                now = await self._visible()
                if now is None:
                    await self.close(NOT_ALLOWED)
                    return
                visible, checked = now, time.monotonic()
            seen = changes.marks
            mine = {
                pk: mark
                for pk, mark in seen.items()
                if pk in visible and (not wanted or pk in wanted)
            }
            moved: dict[str, int | None] = {
                str(pk): mark[0] for pk, mark in mine.items() if told.get(pk) != mark
            }
            moved |= {str(pk): None for pk in told.keys() - mine.keys()}
            if moved or first:
                await self.send(text_data=orjson.dumps({"clusters": moved}).decode())
            told, first = mine, False
            await self._wait(changes, seen)

    async def _wait(self, changes: live_changes.Changes, seen: dict[int, Any]) -> None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                async with changes.moved:
                    await changes.moved.wait_for(lambda: changes.marks is not seen)
        except TimeoutError:
            return


@database_sync_to_async
def _visible_to(user_id: Any, session_key: str, permission: str) -> set[int] | None:
    """The clusters that this person may see now; None without the permission."""
    if not still_valid(user_id, session_key, permission, {}):
        return None
    user = User.objects.get(pk=user_id)
    return set(reachable_clusters(user).order_by().values_list("pk", flat=True))


def _numbers(text: str) -> set[int] | None:
    """The ids of "1,2"; empty for all; None for what is no list of ids."""
    parts = [part for part in text.split(",") if part]
    if len(parts) > MOST_CLUSTERS:
        return None
    if not all(p.isascii() and p.isdigit() and len(p) <= 18 for p in parts):
        return None
    return {int(part) for part in parts}
