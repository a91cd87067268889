"""A program in a container with its own terminal: pods/exec over a websocket.

The protocol is Kubernetes' remote command over websockets: each message begins with
the number of its channel. v5.channel.k8s.io (1.30) can also close a channel, which
v4 cannot; servers choose the first of ours that they know.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from clusters.kube import faults
from clusters.kube.credentials import tls_context
from clusters.kube.errors import KubeError, UnexpectedAnswer
from clusters.kube.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    Broken,
    MessageReader,
    accept_of,
    masked,
    new_key,
)
from clusters.kube.streams import Doer, dial, place
from console.live.handover import on_own_thread

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE_CHANNEL = 0, 1, 2, 3, 4, 255
# Interrupt, then end of input: what ends a shell and most of what runs in one.
HANG_UP = b"\x03\x04"
OPEN_SECONDS = 10.0
PING_SECONDS = 20.0
HEAD_LIMIT = 64 * 1024
# What is read ahead of its reader; beyond it, the container's program waits.
BUFFER = 64 * 1024


@dataclass(frozen=True)
class Command:
    """What to run, where. container: "" where the pod has one alone."""

    namespace: str
    pod: str
    container: str
    words: Sequence[str]
    tty: bool = True
    stdin: bool = True

    def path(self) -> str:
        """The request's path with its parameters."""
        pod = f"/api/v1/namespaces/{quote(self.namespace, safe='')}/pods/{quote(self.pod, safe='')}"
        flags = {"stdin": self.stdin, "stdout": True, "stderr": not self.tty, "tty": self.tty}
        words = [("command", word) for word in self.words]
        more = [(name, str(flag).lower()) for name, flag in flags.items()]
        named = [("container", self.container)] if self.container else []
        return f"{pod}/exec?{urlencode(words + named + more)}"


@dataclass(frozen=True)
class Output:
    """Bytes that the program printed, on STDOUT or STDERR (a terminal has STDOUT alone)."""

    channel: int
    data: bytes


@dataclass(frozen=True)
class Exit:
    """How it ended: the program's exit code, or None with a message where there is none."""

    code: int | None
    message: str = ""


class Terminal:
    """One running program. Made by open_terminal(); close() ends it, whatever goes on."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        protocol: str,
        where: str,
        tty: bool,
    ) -> None:
        self.protocol = protocol
        self._tty = tty
        self._messages = MessageReader(reader)
        self._writer = writer
        self._where = where
        self._exit: Exit | None = None
        self._pinging = asyncio.create_task(self._ping())

    async def read(self) -> Output | Exit:
        """What comes next; after an Exit nothing does.

        Nothing is read ahead of it but BUFFER bytes: who does not call it makes
        the program wait. Raises KubeError when the connection is cut.
        """
        while True:
            try:
                message = await self._messages.next()
            except (asyncio.IncompleteReadError, OSError, Broken) as error:
                return self._ended(error)
            if message.opcode == CLOSE:
                return self._exit or Exit(None, _reason(message.payload))
            if message.opcode == PING:
                await self._send(PONG, message.payload)
            elif message.opcode != PONG and message.payload:
                channel, data = message.payload[0], message.payload[1:]
                if channel == ERROR:
                    self._exit = exit_of(data)
                elif channel in (STDOUT, STDERR) and data:
                    return Output(channel, data)

    def _ended(self, error: BaseException) -> Exit:
        if self._exit is not None:
            return self._exit
        if isinstance(error, Broken):
            raise UnexpectedAnswer(f"{self._where} broke the protocol: {error}.")
        raise faults.of_exception(self._where, error)

    async def write(self, data: bytes) -> None:
        """Type bytes; returns when the connection has taken them. Raises KubeError."""
        for start in range(0, len(data), 32 * 1024):
            await self._send(BINARY, bytes([STDIN]) + data[start : start + 32 * 1024])

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the program how large its terminal is, in characters."""
        size = orjson.dumps({"Width": columns, "Height": rows})
        await self._send(BINARY, bytes([RESIZE]) + size)

    async def end_input(self) -> bool:
        """Close stdin alone (half close); False where the protocol cannot (v4)."""
        if self.protocol != PROTOCOLS[0]:
            return False
        await self._send(BINARY, bytes([CLOSE_CHANNEL, STDIN]))
        return True

    async def close(self) -> None:
        """End the connection, and as far as that can be done the program."""
        self._pinging.cancel()
        with contextlib.suppress(OSError, KubeError):
            if self._tty and self._exit is None:
                # Kubernetes has no hang-up, and some runtimes let the program live on.
                self._writer.write(masked(BINARY, bytes([STDIN]) + HANG_UP))
            self._writer.write(masked(CLOSE, struct.pack("!H", 1000)))
        # Not drained: a peer that takes nothing any more must not keep it open.
        self._writer.transport.abort() if self._behind else self._writer.close()

    @property
    def _behind(self) -> bool:
        return bool(self._writer.transport.get_write_buffer_size())

    async def _send(self, opcode: int, payload: bytes) -> None:
        try:
            self._writer.write(masked(opcode, payload))
            await self._writer.drain()
        except OSError as error:
            raise faults.of_exception(self._where, error) from None

    async def _ping(self) -> None:
        # So that nothing on the way (load balancers, firewalls) takes the quiet for an end.
        while True:
            await asyncio.sleep(PING_SECONDS)
            if not self._behind:
                with contextlib.suppress(KubeError):
                    await self._send(PING, b"")


async def open_terminal(doer: Doer, command: Command) -> Terminal:
    """Start the program. Raises KubeError: NotFound, Forbidden, UnexpectedAnswer, unreachable."""
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            return await _open(doer, command)
    except TimeoutError:
        raise faults.too_slow(doer.endpoint, OPEN_SECONDS) from None


async def _open(doer: Doer, command: Command) -> Terminal:
    # Resolving and connecting block.
    raw = await on_own_thread(dial, doer.credentials)
    host, port, prefix = place(doer.endpoint)
    try:
        reader, writer = await asyncio.open_connection(
            sock=raw, ssl=tls_context(doer.credentials), server_hostname=host, limit=BUFFER
        )
    except BaseException as error:
        raw.close()
        if isinstance(error, faults.ERRORS):
            raise faults.of_exception(doer.endpoint, error) from None
        raise
    key = new_key()
    try:
        writer.write(_request(doer, f"{prefix}{command.path()}", f"{host}:{port}", key))
        await writer.drain()
        protocol = await _accepted(reader, doer, command, key)
    except BaseException as error:
        writer.transport.abort()
        if isinstance(error, (*faults.ERRORS, EOFError)):
            raise faults.of_exception(doer.endpoint, error) from None
        raise
    return Terminal(reader, writer, protocol, doer.endpoint, command.tty)


def _request(doer: Doer, path: str, host: str, key: str) -> bytes:
    headers = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", ", ".join(PROTOCOLS)),
        *doer.headers(),
    ]
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _accepted(reader: asyncio.StreamReader, doer: Doer, command: Command, key: str) -> str:
    """The protocol that the server chose. Raises KubeError for any answer but the right one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise UnexpectedAnswer(f"{doer.endpoint} answered with headers without an end.") from None
    path = command.path().partition("?")[0]
    answer = _parsed(head)
    if answer.status != 101:
        body = await _body(reader, head)
        raise faults.of_status(doer.endpoint, path, answer.status, body, doer.who)
    protocol = answer.headers.get("Sec-WebSocket-Protocol", "").strip()
    if answer.headers.get("Sec-WebSocket-Accept", "").strip() != accept_of(key):
        raise UnexpectedAnswer(f"{doer.endpoint}{path} does not speak websocket.")
    if protocol not in PROTOCOLS:
        raise UnexpectedAnswer(
            f"{doer.endpoint}{path} knows none of the protocols {', '.join(PROTOCOLS)}.",
            "Kubernetes has had v4.channel.k8s.io since 1.4.",
        )
    return protocol


class _Bytes:
    """Bytes in the shape that http.client reads an answer from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._raw)


def _parsed(raw: bytes) -> HTTPResponse:
    answer = HTTPResponse(_Bytes(raw))  # type: ignore[arg-type]
    answer.begin()
    return answer


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """What an answer other than 101 says, at most HEAD_LIMIT bytes and for a second."""
    raw = bytearray(head)
    body = b""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(1):
            while len(raw) < HEAD_LIMIT:
                try:
                    body = _parsed(bytes(raw)).read()
                    if len(raw) > len(head):
                        break
                except HTTPException:
                    body = b""
                part = await reader.read(HEAD_LIMIT)
                if not part:
                    break
                raw += part
    return body


def exit_of(data: bytes) -> Exit:
    """The Status on the error channel: success, an exit code, or what went wrong."""
    try:
        status = orjson.loads(data)
    except orjson.JSONDecodeError:
        # Until 1.4 and from some runtimes: plain text.
        return Exit(None, data.decode("utf-8", "replace")[:200].strip())
    if not isinstance(status, dict):
        return Exit(None)
    if status.get("status") == "Success":
        return Exit(0)
    details: Any = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else []:
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            text = str(cause.get("message", ""))
            if text.isascii() and text.isdigit() and len(text) < 6:
                return Exit(int(text))
    return Exit(None, str(status.get("message", ""))[:200])


def _reason(payload: bytes) -> str:
    return payload[2:].decode("utf-8", "replace")[:200]
