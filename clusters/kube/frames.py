"""Websocket frames of a client (RFC 6455, chapter 5) over asyncio streams, with limits.

A terminal reads and writes at the same time, and must stop reading when the browser
is behind. asyncio's streams do both on one TLS connection; two threads on one
socket of Python's ssl cannot do it safely.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
# API servers send at most what a container wrote at once, some 32 KiB.
MESSAGE_LIMIT = 1024 * 1024
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Broken(Exception):
    """The peer does not keep to the protocol, or sends more than the limit."""


@dataclass(frozen=True)
class Message:
    """One message: its opcode (TEXT, BINARY, CLOSE, PING or PONG) and payload."""

    opcode: int
    payload: bytes


def new_key() -> str:
    """A fresh Sec-WebSocket-Key."""
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that proves that the server read the key."""
    digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def masked(opcode: int, payload: bytes, mask: bytes | None = None) -> bytes:
    """One whole frame as clients send it; mask: 4 bytes, random by default."""
    mask = mask or os.urandom(4)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + mask + unmask(payload, mask)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The payload with the mask applied; applying it twice changes nothing."""
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return mixed.to_bytes(size, "big")


class MessageReader:
    """The messages of a stream; control frames come out between the parts of another message."""

    def __init__(self, reader: asyncio.StreamReader, limit: int = MESSAGE_LIMIT) -> None:
        self._reader, self._limit = reader, limit
        self._opcode = 0
        self._parts = bytearray()

    async def next(self) -> Message:
        """The next message.

        Raises Broken, and asyncio.IncompleteReadError when the connection ends.
        """
        while True:
            final, code, payload = await _frame(self._reader, self._limit - len(self._parts))
            if code >= CLOSE:
                if not final or len(payload) > 125:
                    raise Broken("a control frame in parts")
                return Message(code, payload)
            if (code == CONTINUATION) != bool(self._opcode):
                raise Broken("the parts of a message are out of order")
            self._opcode = self._opcode or code
            self._parts += payload
            if final:
                whole = Message(self._opcode, bytes(self._parts))
                self._opcode, self._parts = 0, bytearray()
                return whole


async def _frame(reader: asyncio.StreamReader, limit: int) -> tuple[bool, int, bytes]:
    first, second = await reader.readexactly(2)
    if first & 0x70 or first & 0x0F not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise Broken("a frame of an unknown kind")
    if second & 0x80:
        raise Broken("servers must not mask")
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    if size > limit:
        raise Broken(f"a message of more than {MESSAGE_LIMIT} bytes")
    return bool(first & 0x80), first & 0x0F, await reader.readexactly(size)
