"""How far `manage.py audit verify` is, for people who watch it on a terminal."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

EVERY_SECONDS = 0.5


class Progress:
    """Called with the position that a verification has come to; writes one line over itself.

    Says nothing where the output is no terminal: a log would fill with it. size: of the tree.
    """

    def __init__(self, out: Any, size: int, start: int) -> None:
        self._out, self._size, self._start = out, size, start
        self._shown = out.isatty()
        self._begun = self._last = time.monotonic()
        self._wide = 0

    def __call__(self, position: int) -> None:
        """So many events are done."""
        now = time.monotonic()
        if not self._shown or now - self._last < EVERY_SECONDS:
            return
        self._last = now
        rate = max(0, position - self._start) / (now - self._begun)
        left = f", {timedelta(seconds=round((self._size - position) / rate))} to go" if rate else ""
        self._write(f"{position} of {self._size} events, {rate:.0f} per second{left}")

    def end(self) -> None:
        """Clear the line."""
        if self._wide:
            self._write("")
            self._out.write("\r", ending="")

    def _write(self, text: str) -> None:
        self._out.write("\r" + text.ljust(self._wide), ending="")
        self._out.flush()
        self._wide = max(self._wide, len(text))
