"""How many objects of one kind and cluster have rows: a server may tell of more without end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings

from clusters.inventory.collections import Entry, Key


class Held:
    """The objects of one collection that may have rows, known by a number each.

    Counts also what lists told that never came to their end; used by one thread.
    """

    def __init__(self) -> None:
        self.most = settings.MAX_OBJECTS
        self._known: set[int] = set()

    def that_fit(self, entries: Sequence[Entry], keys: set[Key]) -> list[Entry]:
        """Those of a page of a list for which there is room; their keys are added to `keys`."""
        fit = []
        for entry in entries:
            if entry.key not in keys and len(keys) >= self.most:
                break
            keys.add(entry.key)
            self._known.add(hash(entry.key))
            fit.append(entry)
        return fit

    def too_many(self, told: int) -> bool:
        """Whether a list told twice as much as one may, or lists without an end left so many."""
        return max(told, len(self._known)) > 2 * self.most

    def only(self, keys: Iterable[Key]) -> None:
        """These alone have rows now."""
        self._known = {hash(key) for key in keys}

    def is_full_for(self, key: Key) -> bool:
        """Count an object of a watch; True when there is no room for it."""
        number = hash(key)
        if number not in self._known and len(self._known) >= self.most:
            return True
        self._known.add(number)
        return False

    def gone(self, key: Key) -> None:
        """An object has been deleted."""
        self._known.discard(hash(key))
