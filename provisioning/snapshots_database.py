"""What is inside an etcd database file (bbolt), as far as a restore has to know and change it.

A restore must raise the store's revision above everything that watchers of the
lost cluster have seen, and mark all of it as compacted: then a watch that asks
to go on at an old revision is answered "compacted", lists again, and time never
runs backwards for it (etcd's documentation, "Disaster recovery": revision bump).
etcd 3.6 has a flag for it, 3.4 has none. But every version since 3.0 goes on, when it
opens a database, at no less than the revision that its last compaction finished at
(server/storage/mvcc/kvstore.go, restore: "currentRev < compactMainRev"), because a
compaction may have removed every later record. So the two numbers of the last
compaction, replaced by a higher one, are the whole bump: sixteen bytes, in place,
with no page of the tree changed in size. docs/decisions/0010 says what else was tried.

Format: https://github.com/etcd-io/bbolt (page.go, bucket.go, db.go); numbers are
little-endian on every architecture that etcd supports.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# read(offset, size) gives exactly that many bytes of the file, or fewer at its end.
Read = Callable[[int, int], bytes]

FINISHED, SCHEDULED = b"finishedCompactRev", b"scheduledCompactRev"
HIGHEST = 2**62  # revisions are signed 64-bit numbers: half of the range is left to count on

_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQQ")
_LEAF = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH = struct.Struct("<IIQ")  # position, key size, page
_BUCKET = struct.Struct("<QQ")  # root page (0: the page follows inline), sequence
_IS_BRANCH, _IS_LEAF, _IS_META = 0x01, 0x02, 0x04
_MAGIC, _VERSION = 0xED0CDAED, 2
_REVISION = struct.Struct(">Q")  # at the start of the 17 bytes "<main>_<sub>"
_REVISION_SIZE = 17
_PAGE_SIZES = (512, 65536)
_LARGEST_PAGE = 64 * 1024 * 1024
_DEEPEST = 32


class DatabaseError(Exception):
    """The bytes are no database of etcd, or lack what a restore needs. Says which."""


@dataclass(frozen=True)
class Patch:
    """Bytes that replace as many at this offset of the file."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class _Item:
    """A key of a bucket: where its value lies in the file."""

    key: bytes
    is_bucket: bool
    offset: int
    size: int


class Database:
    """An etcd database behind a function that reads bytes of it. Only reads."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.page_size, self._root = self._newest_meta()

    def compaction(self) -> dict[bytes, tuple[int, int]]:
        """{name: (offset of the value, revision)} of what the last compaction left."""
        found: dict[bytes, tuple[int, int]] = {}
        for item in self._items(self._bucket(b"meta")):
            if item.key in (FINISHED, SCHEDULED) and item.size == _REVISION_SIZE:
                (revision,) = _REVISION.unpack(self._exactly(item.offset, 8))
                found[item.key] = item.offset, revision
        return found

    def raised(self, revision: int) -> list[Patch]:
        """What makes a store that opens this file go on above `revision`, all of it compacted.

        Raises DatabaseError when the file was never compacted (every snapshot that
        Flotilla takes was), and ValueError for a revision out of range or not above
        the one of the last compaction.
        """
        found = self.compaction()
        if FINISHED not in found:
            raise DatabaseError("it has no finished compaction, whose revision could be raised")
        if not max(at for _offset, at in found.values()) < revision <= HIGHEST:
            raise ValueError(f"{revision} is no revision to go on at")
        data = _REVISION.pack(revision)
        return [Patch(offset, data) for offset, _at in sorted(found.values())]

    def _newest_meta(self) -> tuple[int, int]:
        """Page size and root page of the newest of the two meta pages that is whole."""
        first = self._meta(0)
        sizes = [first[0]] if first else [1 << n for n in range(9, 17)]
        metas = [first, *(self._meta(size) for size in sizes)]
        whole = [meta for meta in metas if meta is not None]
        if not whole:
            raise DatabaseError("it does not begin like a database of etcd")
        size, root, _txid = max(whole, key=lambda meta: meta[2])
        return size, root

    def _meta(self, offset: int) -> tuple[int, int, int] | None:
        head = self._read(offset, _PAGE.size + _META.size)
        if len(head) < _PAGE.size + _META.size:
            return None
        _id, flags, _count, _overflow = _PAGE.unpack_from(head)
        magic, version, size, _flags, root, _seq, _free, _top, txid, checksum = _META.unpack_from(
            head, _PAGE.size
        )
        body = head[_PAGE.size : _PAGE.size + _META.size - 8]
        fits = _PAGE_SIZES[0] <= size <= _PAGE_SIZES[1] and size & (size - 1) == 0
        if not (flags & _IS_META and magic == _MAGIC and version == _VERSION and fits):
            return None
        return (size, root, txid) if _fnv64a(body) == checksum else None

    def _bucket(self, name: bytes) -> tuple[int, bool]:
        """Where a bucket's root page lies in the file, and whether it is inline."""
        for item in self._items((self._root * self.page_size, False)):
            if item.key == name and item.is_bucket:
                root, _sequence = _BUCKET.unpack(self._exactly(item.offset, _BUCKET.size))
                if root == 0:
                    return item.offset + _BUCKET.size, True
                return root * self.page_size, False
        raise DatabaseError(f"it has no bucket {name.decode()!r}")

    def _items(self, place: tuple[int, bool], depth: int = 0) -> Iterator[_Item]:
        """The keys of the tree whose root page is there."""
        offset, _inline = place
        if depth > _DEEPEST:
            raise DatabaseError("its pages lead in a circle")
        _id, flags, count, overflow = _PAGE.unpack(self._exactly(offset, _PAGE.size))
        if (overflow + 1) * self.page_size > _LARGEST_PAGE:
            raise DatabaseError(f"a page of it at {offset} is larger than any can be")
        elements = self._exactly(offset + _PAGE.size, count * _LEAF.size)
        for number in range(count):
            at = offset + _PAGE.size + number * _LEAF.size
            if flags & _IS_LEAF:
                kind, position, keys, values = _LEAF.unpack_from(elements, number * _LEAF.size)
                key = self._exactly(at + position, keys)
                yield _Item(key, bool(kind & 1), at + position + keys, values)
            elif flags & _IS_BRANCH:
                _position, _keys, page = _BRANCH.unpack_from(elements, number * _LEAF.size)
                yield from self._items((page * self.page_size, False), depth + 1)
            else:
                raise DatabaseError(f"at {offset} there is no page of a tree")

    def _exactly(self, offset: int, size: int) -> bytes:
        data = self._read(offset, size) if size <= _LARGEST_PAGE else b""
        if len(data) != size:
            raise DatabaseError(f"it ends before {offset + size}")
        return data


def _fnv64a(data: bytes) -> int:
    """FNV-1a, 64 bits: the checksum of bbolt's meta pages."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = ((found ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return found


def patched(offset: int, chunk: bytes, patches: list[Patch]) -> bytes:
    """A chunk of a file that begins at `offset`, with the parts of patches that fall into it."""
    found = bytearray(chunk)
    for patch in patches:
        start = max(patch.offset, offset)
        end = min(patch.offset + len(patch.data), offset + len(chunk))
        if start < end:
            found[start - offset : end - offset] = patch.data[
                start - patch.offset : end - patch.offset
            ]
    return bytes(found)
