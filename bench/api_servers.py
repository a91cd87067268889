"""A whole fleet's API servers in one process, of which some can be made to hang.

`python -m bench.api_servers FOLDER CLUSTERS`: each cluster is a port of 127.0.0.1 that serves the
same objects by HTTPS, with certificates from the folder. The first line of its output has the ports
as JSON. Then it reads lines: `hang N` (the first N clusters), `heal`, `counts`; each is answered
with a line of JSON. It answers lists in the three forms that the watcher asks for, and watches that
stay silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.fleet_objects import OBJECTS, USAGE, as_asked

JSON = dict[str, Any]
VERSION = "1000"
# How a cluster hangs; the first ones take turns.
SILENT = "takes requests and never answers"
DEAF = "takes connections and never speaks TLS"
DROPS = "drops packets"
WAYS = (SILENT, DEAF, DROPS)


def way_of(number: int) -> str:
    """How the cluster of this number hangs when it does."""
    return WAYS[number % len(WAYS)]


def answer(method: str, target: str, accept: str, body: bytes) -> tuple[int, bytes]:
    """Status and body for everything but watches."""
    path = urlsplit(target).path
    if method != "GET":
        return 200, body or b"{}"  # what is applied or asked is granted as it came
    if path in ("/readyz", "/livez"):
        return 200, b"ok"
    if path == "/version":
        return 200, b'{"gitVersion": "v1.31.4"}'
    if path in USAGE:
        return 200, USAGE[path]
    if path in OBJECTS:
        return 200, as_asked(path, accept, VERSION)
    return 404, b'{"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}'


@dataclass
class ApiServer:
    """One cluster. hang() and heal() change what its port does."""

    number: int
    context: ssl.SSLContext
    counts: Counter[str]
    port: int = 0
    hangs: bool = False
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _deaf: list[socket.socket] = field(default_factory=list)

    async def listen(self) -> None:
        """Serve on the cluster's port, a free one the first time."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.context, backlog=64
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def hang(self) -> None:
        """Answer nothing from now on, also on connections that are open."""
        self.hangs = True
        if way_of(self.number) == SILENT:
            return
        assert self._server is not None
        self._server.close()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        drops = way_of(self.number) == DROPS
        listening.listen(0 if drops else 128)
        self._deaf.append(listening)
        if drops:
            # Nobody accepts: with this one the queue is full, and Linux drops what else comes.
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._deaf.append(filler)

    async def heal(self) -> None:
        """Serve again; what was connected is cut."""
        self.hangs = False
        for deaf in self._deaf:
            deaf.close()
        closed = bool(self._deaf)
        self._deaf.clear()
        for writer in list(self._writers):
            writer.transport.abort()
        if closed:
            await self.listen()

    async def close(self) -> None:
        """End, whatever it does."""
        for deaf in self._deaf:
            deaf.close()
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await self._one(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _colon, value in
                   (line.partition(":") for line in head[1:])}  # fmt: skip
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.counts["requests"] += 1
        if self.hangs:
            await asyncio.sleep(3600)
        query = parse_qs(urlsplit(target).query)
        if query.get("watch"):
            await self._watch(writer, float(query["timeoutSeconds"][0]))
            return
        status, content = answer(method, target, headers.get("accept", ""), body)
        writer.write(
            f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()

    async def _watch(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        await writer.drain()
        await asyncio.sleep(seconds)
        while self.hangs:
            await asyncio.sleep(1)
        writer.write(b"0\r\n\r\n")


async def _obey(line: str, servers: list[ApiServer], counts: Counter[str]) -> JSON:
    word, _space, number = line.partition(" ")
    if word == "hang":
        for server in servers[: int(number)]:
            await server.hang()
    elif word == "heal":
        for server in servers:
            if server.hangs:
                await server.heal()
    return dict(counts)


async def main(folder: Path, clusters: int) -> None:
    """Serve until the standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    counts: Counter[str] = Counter()
    servers = [ApiServer(number, context, counts) for number in range(clusters)]
    for server in servers:
        await server.listen()
    print(json.dumps([server.port for server in servers]), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        print(json.dumps(await _obey(line, servers, counts)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
