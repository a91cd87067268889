"""Places of which a process has so many: followed logs, open terminals."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Slots:
    """most: how many there are, asked each time."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._used = 0

    def take(self, count: int = 1) -> int:
        """Take as many as are free, at most count; give them back with give()."""
        with self._lock:
            got = max(0, min(count, self._most() - self._used))
            self._used += got
            return got

    def give(self, count: int = 1) -> None:
        """So many are free again."""
        with self._lock:
            self._used -= count

    @property
    def free(self) -> bool:
        """Whether there is one at this moment."""
        return self._used < self._most()

    @property
    def used(self) -> int:
        """How many are taken."""
        return self._used
