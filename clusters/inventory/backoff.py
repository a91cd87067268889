"""Pauses after faults."""

from __future__ import annotations

import random


class Backoff:
    """Longer and longer pauses with jitter, so that a fleet does not come back in step."""

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self.first, self.most = first, most
        self._failures = 0

    def reset(self) -> None:
        """It went well."""
        self._failures = 0

    def next(self) -> float:
        """Seconds to pause before the next attempt."""
        longest = min(self.most, self.first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 (no secret depends on it)
