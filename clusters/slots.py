"""Places of which a process has so many, and each person so many of them: followed logs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable


class Place:
    """Places that one person has taken; given back once, at the latest when nobody holds it."""

    def __init__(self, slots: Slots, person: int | None) -> None:
        self._slots, self._person = slots, person
        self._taken = True

    def give(self) -> None:
        """It is free again; nothing happens the second time."""
        taken, self._taken = self._taken, False
        if taken:
            self._slots.give(1, self._person)

    # An answer whose reader goes away before its first part is neither read nor closed.
    __del__ = give


class Slots:
    """most, each: how many there are, and of these one person's, asked each time."""

    def __init__(self, most: Callable[[], int], each: Callable[[], int] | None = None) -> None:
        self._most = most
        self._each = each or most
        # Of a thread that already has it, too: a place may be given back by the collection of
        # garbage in the middle of anything.
        self._lock = threading.RLock()
        self._used = 0
        self._of: Counter[int] = Counter()

    def take(self, count: int = 1, person: int | None = None) -> int:
        """Take as many as are free for the person, at most count; give them back with give()."""
        with self._lock:
            free = self._most() - self._used
            if person is not None:
                free = min(free, self._each() - self._of[person])
            got = max(0, min(count, free))
            self._used += got
            self._count(person, got)
            return got

    def give(self, count: int = 1, person: int | None = None) -> None:
        """So many are free again."""
        with self._lock:
            self._used -= count
            self._count(person, -count)

    def hold(self, person: int | None = None) -> Place | None:
        """One place for something that may end in several ways; None when there is none."""
        return Place(self, person) if self.take(1, person) else None

    @property
    def used(self) -> int:
        """How many are taken."""
        return self._used

    def free_for(self, person: int) -> int:
        """How many the person may still take, whatever the others have."""
        return self._each() - self._of[person]

    def _count(self, person: int | None, more: int) -> None:
        if person is None:
            return
        self._of[person] += more
        if self._of[person] <= 0:
            del self._of[person]
