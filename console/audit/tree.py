"""Hashes of any part of the tree, and the two proofs (RFC 6962, 2.1), with few rows read."""

from __future__ import annotations

from collections import OrderedDict

from console.audit.models import Leaf, Subtree
from console.audit.verifier import EMPTY_ROOT, node_hash, split

# Hashes of complete subtrees are kept for every eighth level: 1/255 of the leaves' number.
STEP = 8
WIDTH = 1 << STEP
TILES_KEPT = 64


def bottom_up(hashes: list[bytes]) -> bytes:
    """The root above a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


class Hashes:
    """Reads hashes from the database, 256 with one query, and keeps the last tiles of them."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves. Raises KeyError where one is missing."""
        return self.over(0, size) if size else EMPTY_ROOT

    def over(self, start: int, end: int) -> bytes:
        """The hash over the leaves from start up to and without end."""
        count = end - start
        if count & (count - 1) == 0 and start % count == 0:
            return self._complete(count.bit_length() - 1, start // count)
        middle = start + split(count)
        return node_hash(self.over(start, middle), self.over(middle, end))

    def peaks(self, size: int) -> list[tuple[int, bytes]]:
        """(height, hash) of the complete subtrees of the first `size` leaves, largest first.

        Raises KeyError where one is missing.
        """
        found, place = [], 0
        for height in range(size.bit_length() - 1, -1, -1):
            if size >> height & 1:
                found.append((height, self.over(place, place + (1 << height))))
                place += 1 << height
        return found

    def inclusion(self, position: int, size: int) -> list[bytes]:
        """What leads from a leaf to the root of a tree of `size`: 24 hashes at 10 million."""
        return self._path(position, 0, size)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """What shows that the tree of `old` leaves is the beginning of that of `size`."""
        return [] if old in (0, size) else self._subproof(old, 0, size, whole=True)

    def _path(self, position: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + split(end - start)
        if position < middle:
            return [*self._path(position, start, middle), self.over(middle, end)]
        return [*self._path(position, middle, end), self.over(start, middle)]

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self.over(start, end)]
        middle = start + split(end - start)
        if old <= middle:
            return [
                *self._subproof(old, start, middle, whole=whole),
                self.over(middle, end),
            ]
        return [*self._subproof(old, middle, end, whole=False), self.over(start, middle)]

    def _complete(self, level: int, index: int) -> bytes:
        base = level // STEP * STEP
        count = 1 << (level - base)
        start = index * count
        tile = self.tile(base, start // WIDTH)
        hashes = tile[start % WIDTH : start % WIDTH + count]
        if len(hashes) < count:
            raise KeyError(f"hashes {start} to {start + count} of level {base} are not there")
        return bottom_up(hashes)

    def tile(self, level: int, number: int) -> list[bytes]:
        """The up to 256 hashes of this level from 256 x number on, until the first gap."""
        found = self._tiles.get((level, number))
        if found is None:
            found = self._read(level, number * WIDTH)
            self._tiles[level, number] = found
            if len(self._tiles) > TILES_KEPT:
                self._tiles.popitem(last=False)
        return found

    def _read(self, level: int, start: int) -> list[bytes]:
        if level == 0:
            leaves = Leaf.objects.filter(position__gte=start, position__lt=start + WIDTH)
            rows = list(leaves.order_by("position").values_list("position", "hash"))
        else:
            trees = Subtree.objects.filter(level=level, index__gte=start, index__lt=start + WIDTH)
            rows = list(trees.order_by("index").values_list("index", "hash"))
        hashes: list[bytes] = []
        for place, value in rows:
            if place != start + len(hashes):
                break  # a gap: what comes after it has another place
            hashes.append(bytes(value))
        return hashes
