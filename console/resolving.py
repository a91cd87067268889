"""DNS with a deadline: the system's resolver has none that a caller could set.

A lookup runs on a thread of its own that nobody waits for longer than they like. So many run
at a time; one that hangs keeps its place until the resolver gives up, and everybody who
asks for the same name meanwhile waits for that one.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

MOST = 16

Lookup = Callable[[str, int], list[str]]


def ask_system(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver has for a name. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


class _Running:
    def __init__(self) -> None:
        self.ended = threading.Event()
        self.found: list[str] = []
        self.error: OSError | None = None


class Resolver:
    """most: lookups at a time in this process; ask: what is called on their threads."""

    def __init__(self, most: int = MOST, ask: Lookup = ask_system) -> None:
        self._ask = ask
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], _Running] = {}

    def __call__(self, host: str, port: int, seconds: float) -> list[str]:
        """The addresses of a name. Raises TimeoutError after so long, OSError without any."""
        ends = time.monotonic() + seconds
        running = self._join(host, port, ends)
        if not running.ended.wait(max(0.0, ends - time.monotonic())):
            raise TimeoutError
        if running.error is not None:
            raise running.error
        return running.found

    def _join(self, host: str, port: int, ends: float) -> _Running:
        with self._lock:
            running = self._running.get((host, port))
        if running is not None:
            return running
        if not self._places.acquire(timeout=max(0.0, ends - time.monotonic())):
            raise TimeoutError
        with self._lock:
            running = self._running.get((host, port))
            if running is not None:
                self._places.release()
                return running
            running = self._running[host, port] = _Running()
        work = threading.Thread(target=self._work, args=(host, port, running), daemon=True)
        try:
            work.start()
        except RuntimeError:  # no more threads
            self._end(host, port, running)
            raise TimeoutError from None
        return running

    def _work(self, host: str, port: int, running: _Running) -> None:
        try:
            running.found = self._ask(host, port)
        except OSError as error:
            running.error = error
        except Exception as error:
            running.error = OSError(str(error))
        finally:
            self._end(host, port, running)

    def _end(self, host: str, port: int, running: _Running) -> None:
        with self._lock:
            del self._running[host, port]
        self._places.release()
        running.ended.set()


resolver = Resolver()
