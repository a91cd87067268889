"""A TLS server in a process of its own that can be gone or mute, and says when it was.

It answers "GET /readyz" with 200, asks for a client certificate, and its times
are those of the system's monotonic clock, which a test in another process shares.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
NOT_READY = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Tls:
    """The test's end: down() refuses connections, mute() takes and never answers them."""

    def __init__(self, folder: Path, authority, port: int = 0) -> None:
        (folder / "pair.pem").write_text("".join(authority.server("127.0.0.1")))
        (folder / "ca.pem").write_text(authority.crt)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._said()["port"]
        self.endpoint = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Tls:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _said(self) -> dict:
        return json.loads(self._process.stdout.readline())

    def do(self, command: str) -> tuple[float, float]:
        """down, up, mute, talk, unready or ready; the times between which it was done."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return tuple(self._said()["at"])


async def serve(folder: Path, port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    state = {"mute": False, "ready": True}
    held = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if state["mute"]:
                held.append(writer)
                return
            writer.write(ANSWER if state["ready"] else NOT_READY)
            await writer.drain()
            writer.close()

    async def listen(at: int) -> asyncio.Server:
        return await asyncio.start_server(answer, "127.0.0.1", at, ssl=context, backlog=500)

    server = await listen(port)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, before = line.strip(), time.monotonic()
        if command == "down":
            server.close()
        elif command == "up":
            server = await listen(port)
        elif command in ("mute", "talk"):
            state["mute"] = command == "mute"
        else:
            state["ready"] = command == "ready"
        print(json.dumps({"at": [before, time.monotonic()]}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
