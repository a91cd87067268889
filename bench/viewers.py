"""Viewers of a task's log: real websocket clients that check every line they get.

Runs in the bench's own environment: `python viewers.py URL COOKIE VIEWERS RECONNECTING LINES`, and
prints what each viewer got as JSON. A reconnecting viewer drops its connection at random places,
stays away for a moment and comes back with the number of its last line, as a browser does.
"""

import asyncio
import json
import random
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

RECONNECTS = 10


class Viewer:
    """One viewer and its books."""

    def __init__(self, url: str, cookie: str, drops: list[int]) -> None:
        self.url, self.cookie = url, cookie
        self.drops = drops  # after which lines it drops its connection
        self.last = self.lines = self.frames = self.characters = 0
        self.lost = self.doubled = self.reconnects = 0
        self.ended = False

    async def watch(self) -> None:
        """From the first line to the end, through all reconnects."""
        while not self.ended:
            headers = {"Cookie": self.cookie}
            origin = "http://" + self.url.split("/")[2]
            url = f"{self.url}?after={self.last}"
            async with connect(
                url, origin=origin, additional_headers=headers, max_size=None, open_timeout=120
            ) as socket:
                try:
                    await self._read(socket)
                except ConnectionClosed:
                    if not self.ended:
                        raise
            if not self.ended:
                self.reconnects += 1
                await asyncio.sleep(random.uniform(0.05, 1.0))

    async def _read(self, socket) -> None:
        async for text in socket:
            self.frames += 1
            self.characters += len(text)
            frame = json.loads(text)
            if frame.get("end"):
                self.ended = True
                return
            for line in frame.get("lines") or [frame]:
                self._take(line["seq"])
            if self.drops and self.last >= self.drops[0]:
                while self.drops and self.last >= self.drops[0]:
                    self.drops.pop(0)
                return

    def _take(self, seq: int) -> None:
        self.lines += 1
        if seq <= self.last:
            self.doubled += 1
        else:
            self.lost += seq - self.last - 1
            self.last = seq


async def main() -> None:
    """All viewers at once."""
    url, cookie, count, reconnecting, lines = sys.argv[1:]
    chosen = random.Random(7)
    viewers = []
    for number in range(int(count)):
        drops = sorted(chosen.sample(range(1, int(lines)), RECONNECTS))
        viewers.append(Viewer(url, cookie, drops if number < int(reconnecting) else []))
    await asyncio.gather(*(viewer.watch() for viewer in viewers))
    keep = ("last", "lines", "frames", "characters", "lost", "doubled", "reconnects")
    print(json.dumps([{key: getattr(viewer, key) for key in keep} for viewer in viewers]))


asyncio.run(main())
