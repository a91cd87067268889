"""Whether a cluster answers, and the connection through which it does."""

from __future__ import annotations

import threading

from clusters.kube import Connection


class Entrance:
    """Opened and closed by the attendance; reflectors wait before it and do not knock in vain."""

    def __init__(self) -> None:
        self._server: Connection | None = None
        self._open = threading.Event()

    def open(self, server: Connection) -> bool:
        """The cluster answers through this connection; whether it did by another one before."""
        another = self._server is not None and self._server is not server
        self._server = server
        self._open.set()
        return another

    def close(self) -> None:
        """It does not answer."""
        self._open.clear()

    def wait(self, seconds: float) -> Connection | None:
        """The connection, as soon as there is one; None when there was none for so long."""
        return self._server if self._open.wait(seconds) else None

    def end(self) -> None:
        """Nobody need wait any more: wait() returns None at once."""
        self._server = None
        self._open.set()
