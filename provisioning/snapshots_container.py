"""The encrypted file that a snapshot lies in: chunks that can be neither changed nor moved.

    magic (8 bytes), then for each chunk: length (4 bytes, big-endian), sealed bytes

Each chunk is 1 MiB of the plain file (the last one less), deflated and sealed with
AES-256-GCM under a key of this file alone. The nonce is the chunk's number (11 bytes)
and whether it is the last (1 byte): the STREAM construction (Hoang, Reyhanitabar,
Rogaway, Vizar 2015), so that a chunk that is changed, left out, repeated or put elsewhere
does not open, nor does a file that was cut. `context` names what the file is for;
a file under another one's name does not open either. The key must never be used for
two different files.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"FLOTSN01"
CHUNK = 1024 * 1024
KEY_SIZE = 32
_LENGTH = struct.Struct(">I")
_TAG = 16
_MOST = CHUNK + 1024 + _TAG  # deflate grows what it cannot shrink by a few bytes
_LEVEL = 1


class Damaged(Exception):
    """The file is not what was written: says where it stops making sense."""


def new_key() -> bytes:
    """A random key for one file."""
    return os.urandom(KEY_SIZE)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


class Writer:
    """Seals what is written to it. close() makes the file whole; without it, it never opens.

    sha256, size: of the plain bytes so far; stored: bytes of the file so far.
    """

    def __init__(self, out: BinaryIO, key: bytes, context: str) -> None:
        self._out, self._cipher, self._context = out, AESGCM(key), context.encode()
        self._held = bytearray()
        self._number = 0
        self._digest = hashlib.sha256()
        self.size = 0
        self.stored = out.write(MAGIC)

    @property
    def sha256(self) -> str:
        """The digest of the plain bytes so far, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take bytes of the plain file. Raises OSError when the file cannot be written."""
        self._digest.update(data)
        self.size += len(data)
        self._held += data
        # One chunk is always held back: the last one is sealed as such.
        while len(self._held) > CHUNK:
            self._seal(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def close(self) -> None:
        """Seal the last chunk."""
        self._seal(bytes(self._held), last=True)
        self._held.clear()

    def _seal(self, plain: bytes, last: bool) -> None:
        packed = zlib.compress(plain, _LEVEL)
        sealed = self._cipher.encrypt(_nonce(self._number, last), packed, self._context)
        self._out.write(_LENGTH.pack(len(sealed)) + sealed)
        self.stored += _LENGTH.size + len(sealed)
        self._number += 1


class Reader:
    """Opens a sealed file, in order or at any place. Every method raises Damaged."""

    def __init__(self, source: BinaryIO, key: bytes, context: str) -> None:
        self._source, self._cipher, self._context = source, AESGCM(key), context.encode()
        self._places = self._index()
        self._cached: tuple[int, bytes] = (-1, b"")

    @classmethod
    def of(cls, source: BinaryIO, key: bytes, context: str) -> Self:
        """A reader whose first and last chunk open, so that a wrong key is known at once."""
        reader = cls(source, key, context)
        reader.chunk(0)
        reader.chunk(len(reader._places) - 1)
        return reader

    def _index(self) -> list[tuple[int, int]]:
        """Where each chunk lies. Lengths are not trusted: a wrong one does not open."""
        end = self._source.seek(0, os.SEEK_END)
        self._source.seek(0)
        if self._source.read(len(MAGIC)) != MAGIC:
            raise Damaged("it does not begin like a snapshot of Flotilla")
        places: list[tuple[int, int]] = []
        at = len(MAGIC)
        while at < end:
            head = self._source.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                raise Damaged(f"it was cut at byte {end}")
            (size,) = _LENGTH.unpack(head)
            at += _LENGTH.size
            if not _TAG <= size <= _MOST or at + size > end:
                raise Damaged(f"chunk {len(places)} was cut or changed")
            places.append((at, size))
            at = self._source.seek(at + size)
        if not places:
            raise Damaged("it has no content")
        return places

    def chunk(self, number: int) -> bytes:
        """The plain bytes of one chunk."""
        if self._cached[0] == number:
            return self._cached[1]
        offset, size = self._places[number]
        last = number == len(self._places) - 1
        self._source.seek(offset)
        try:
            packed = self._cipher.decrypt(
                _nonce(number, last), self._source.read(size), self._context
            )
        except InvalidTag:
            raise Damaged(f"chunk {number} of {len(self._places)} does not open") from None
        # What opens was written by us, and holds at most one chunk.
        plain = zlib.decompress(packed, bufsize=CHUNK)
        if len(plain) > CHUNK or (len(plain) < CHUNK and not last):
            raise Damaged(f"chunk {number} has the wrong size")
        self._cached = number, plain
        return plain

    def __iter__(self) -> Iterator[bytes]:
        """The plain file, chunk by chunk."""
        for number in range(len(self._places)):
            yield self.chunk(number)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the plain file; fewer at its end."""
        parts = []
        while size > 0 and offset // CHUNK < len(self._places):
            number, skip = divmod(offset, CHUNK)
            part = self.chunk(number)[skip : skip + size]
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)
