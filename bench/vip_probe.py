"""New connections to one address in short steps: TCP, TLS, one HTTP answer, each by itself."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

STEP = 0.01  # seconds between the starts of two connections
PATIENCE = 0.9  # below the kernel's second before it sends a lost SYN again (RFC 6298, 2.1)


@dataclass(frozen=True)
class Probe:
    """One connection: when it began (time.monotonic), how long it took (s), "" or its fault."""

    start: float
    took: float
    fault: str

    @property
    def good(self) -> bool:
        """Whether it was answered."""
        return not self.fault


class Prober:
    """Connects every STEP seconds from its own thread until it is stopped."""

    def __init__(self, address: str, port: int, context: ssl.SSLContext, path: str) -> None:
        self.address, self.port, self.context = address, port, context
        self.request = f"GET {path} HTTP/1.0\r\n\r\n".encode()
        self.probes: list[Probe] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._probe()))

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _probe(self) -> None:
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._stop.is_set():
            task = asyncio.create_task(self._once())
            running.add(task)
            task.add_done_callback(running.discard)
            # Late starts are not made up for: a burst would measure itself.
            due = max(due + STEP, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
        await asyncio.gather(*running)

    async def _once(self) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                fault = await self._ask()
        except TimeoutError:
            fault = "no answer in time"
        except (OSError, asyncio.IncompleteReadError) as error:
            fault = type(error).__name__
        self.probes.append(Probe(start, time.monotonic() - start, fault))

    async def _ask(self) -> str:
        reader, writer = await asyncio.open_connection(
            self.address, self.port, ssl=self.context, server_hostname=self.address
        )
        try:
            writer.write(self.request)
            answer = await reader.readuntil(b"\r\n")
            return "" if answer.split(b" ")[1:2] == [b"200"] else answer.decode("latin-1").strip()
        finally:
            writer.transport.abort()


def outage(probes: Sequence[Probe], begin: float, end: float) -> tuple[float, float, int]:
    """What clients noticed between two times (time.monotonic).

    Returns: the longest time in which no connection was begun that came to an
    answer, less the usual step (s, 0.0 for none); the time from the first
    connection that failed to the last one (s); how many failed.
    """
    seen = sorted((p for p in probes if begin <= p.start <= end), key=lambda p: p.start)
    bad = [p.start for p in seen if not p.good]
    good = [begin, *(p.start for p in seen if p.good), end]
    if not bad:
        return 0.0, 0.0, 0
    longest = max(
        (b - a for a, b in itertools.pairwise(good) if any(a < t < b for t in bad)),
        default=0.0,
    )
    return max(0.0, longest - STEP), bad[-1] - bad[0] + STEP, len(bad)
