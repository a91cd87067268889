"""The baseline of the live log: daphne with a consumer that sends one JSON message for each line.

`daphne bench.line_by_line:application`. It reads the same rows as the console's own consumer; a
channel layer's message for each line and viewer, which many such consumers have as well, is not
even in it.
"""

from __future__ import annotations

import asyncio

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from console.asgi import application as console_application  # first: it sets Django up

from channels.auth import AuthMiddlewareStack  # isort: skip
from channels.routing import ProtocolTypeRouter, URLRouter  # isort: skip
from django.urls import path  # isort: skip

from provisioning import logs  # isort: skip
from provisioning.models import ENDED, Task  # isort: skip


class LineByLine(AsyncJsonWebsocketConsumer):
    """Each viewer reads for itself and gets line after line."""

    async def connect(self) -> None:
        """Begin after the line that the viewer names."""
        await self.accept()
        after = int(self.scope["query_string"].decode().partition("after=")[2] or 0)
        task_id = self.scope["url_route"]["kwargs"]["task_id"]
        self.follower = asyncio.create_task(self.follow(task_id, after))

    async def disconnect(self, code: int) -> None:
        """The viewer has gone."""
        self.follower.cancel()

    async def follow(self, task_id: int, after: int) -> None:
        """Send what comes until the task has ended."""
        while True:
            ended = await database_sync_to_async(self.ended)(task_id)
            lines = await database_sync_to_async(logs.read)(task_id, after=after, limit=1000)
            for line in lines:
                await self.send_json(line)
                after = line["seq"]
            if not lines and ended:
                await self.send_json({"end": True})
                await self.close()
                return
            if not lines:
                await asyncio.sleep(0.2)

    @staticmethod
    def ended(task_id: int) -> bool:
        """Whether nothing more will come."""
        return Task.objects.values_list("status", flat=True).get(pk=task_id) in ENDED


application = ProtocolTypeRouter(
    {
        "http": console_application,
        "websocket": AuthMiddlewareStack(
            URLRouter([path("ws/bench/<int:task_id>/", LineByLine.as_asgi())])
        ),
    }
)
