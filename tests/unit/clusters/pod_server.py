"""What the scripted API server answers for pods/log and pods/exec, faults included."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from clusters.models import Object
from tests.unit.clusters.apiserver import ApiServer, Handler

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def pod_path(name: str, namespace: str = "default") -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def pod_row(cluster, name: str = "web", containers=("main",), **fields: object) -> Object:
    """The pod as the watcher would have it."""
    summary = {
        "phase": "Running",
        "containers": [
            {"name": c, "image": "busybox:1", "state": "running", "restarts": 0} for c in containers
        ],
    }
    values = {"uid": f"uid-{name}", "status": "Running", "health": "good", "node": "node1"} | fields
    return Object.objects.create(
        cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace="default",
        name=name, summary=summary, **values,
    )  # fmt: skip


def pod(name: str = "web", container: str = "main", restarts: int = 0, **state: object) -> dict:
    """The pod as the API has it; state: running={} or terminated={...} and last={...}."""
    last = state.pop("last", {})
    policy = state.pop("policy", "Always")
    row = {"name": container, "restartCount": restarts, "state": state or {"running": {}}}
    if last:
        row["lastState"] = {"terminated": last}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"restartPolicy": policy},
        "status": {"phase": "Running", "containerStatuses": [row]},
    }


class LogEndpoint:
    """The log of each container of one pod: write() it, follow it, end() it."""

    def __init__(self, server: ApiServer, name: str = "web") -> None:
        self.lines: dict[str, list[tuple[datetime, bytes]]] = {}
        self.previous: dict[str, list[tuple[datetime, bytes]]] = {}
        self.queries: list[dict] = []
        self.headers: list[list[tuple[str, str]]] = []
        self.changed = threading.Condition()
        self.refuses = None  # (status, message)
        self.silent = False  # accepts and sends not even a head
        self.raw = None  # bytes that are sent as they are
        self.generation = 0  # end() moves it on
        self._time = START
        self._server = server
        server.streams[pod_path(name) + "/log"] = self

    def write(self, *texts: str | bytes, container: str = "main", at: datetime | None = None):
        with self.changed:
            for text in texts:
                self._time = at or self._time + timedelta(milliseconds=10)
                data = text.encode() if isinstance(text, str) else text
                self.lines.setdefault(container, []).append((self._time, data))
            self.changed.notify_all()

    def restart(self, container: str = "main") -> None:
        """The container has ended and another one has begun."""
        with self.changed:
            self.previous[container] = self.lines.pop(container, [])
        self.end()

    def end(self) -> None:
        """Every follower's answer ends, as when a container ends."""
        with self.changed:
            self.generation += 1
            self.changed.notify_all()

    def __call__(self, handler: Handler, query: dict) -> None:
        self.queries.append(query)
        self.headers.append(handler.headers.items())
        while self.silent and not self._server._stopping:
            time.sleep(0.02)
        if self.refuses:
            status, message = self.refuses
            handler._json(status, {"kind": "Status", "message": message, "code": status})
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        if self.raw is not None:
            for start in range(0, len(self.raw), 7000):
                handler._chunk(self.raw[start : start + 7000], end=b"")
        else:
            self._send(handler, query)
        handler.wfile.write(b"0\r\n\r\n")

    def _send(self, handler: Handler, query: dict) -> None:
        container = query.get("container", "main")
        store = self.previous if query.get("previous") else self.lines
        generation, sent = self.generation, None
        while not self._server._stopping:
            with self.changed:
                lines = list(store.get(container, []))
                if sent is None:
                    sent = self._first(lines, query)
                elif sent >= len(lines) and generation == self.generation:
                    self.changed.wait(0.05)
                    continue
                fresh, ended = lines[sent:], generation != self.generation
            for stamp, data in fresh:
                head = stamp.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()
                line = (head if query.get("timestamps") else b"") + data + b"\n"
                # In two parts: a line need not be a chunk, nor a character.
                handler._chunk(line[: len(line) // 2], end=b"")
                handler._chunk(line[len(line) // 2 :], end=b"")
            sent += len(fresh)
            if ended or query.get("follow") != "true":
                return

    def _first(self, lines: list, query: dict) -> int:
        first = 0
        if since := query.get("sinceTime"):
            # As Kubernetes does: to the second.
            whole = datetime.fromisoformat(since[:19] + "+00:00")
            first = sum(stamp < whole for stamp, _data in lines)
        if tail := query.get("tailLines"):
            first = max(first, len(lines) - int(tail))
        return first


class Wire:
    """The server's end of a websocket with channels."""

    def __init__(self, handler: Handler) -> None:
        self._in, self._out = handler.rfile, handler.wfile
        self.sent = 0
        self.closed = False

    def send(self, channel: int, data: bytes) -> None:
        payload = bytes([channel]) + data
        self.frame(0x2, payload)
        self.sent += len(data)

    def frame(self, opcode: int, payload: bytes, final: bool = True) -> None:
        size = len(payload)
        first = (0x80 if final else 0) | opcode
        if size < 126:
            head = struct.pack("!BB", first, size)
        elif size < 65536:
            head = struct.pack("!BBH", first, 126, size)
        else:
            head = struct.pack("!BBQ", first, 127, size)
        self._out.write(head + payload)
        self._out.flush()

    def read(self) -> tuple[int, bytes] | None:
        """(channel, data) of the next message, None at the end; pings are answered."""
        while True:
            head = self._in.read(2)
            if len(head) < 2:
                return None
            opcode, size = head[0] & 0x0F, head[1] & 0x7F
            assert head[1] & 0x80, "clients must mask"
            if size == 126:
                (size,) = struct.unpack("!H", self._in.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._in.read(8))
            mask = self._in.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self._in.read(size)))
            if opcode == 0x8:
                self.closed = True
                return None
            if opcode == 0x9:
                self.frame(0xA, data)
            elif opcode != 0xA:
                return data[0], data[1:]

    def exit(self, code: int) -> None:
        causes = [{"reason": "ExitCode", "message": str(code)}]
        failure = {
            "status": "Failure", "reason": "NonZeroExitCode", "message": f"exit code {code}",
            "details": {"causes": causes},
        }  # fmt: skip
        self.send(3, json.dumps(failure if code else {"status": "Success"}).encode())
        self.frame(0x8, struct.pack("!H", 1000))


def shell(wire: Wire, endpoint: ExecEndpoint) -> None:
    """Echoes what is typed as a terminal does; knows exit N, size, yes and colours."""
    wire.send(1, b"$ ")
    line, size = b"", {}
    while (message := wire.read()) is not None:
        channel, data = message
        if channel == 4:
            size = json.loads(data)
            endpoint.sizes.append((size["Width"], size["Height"]))
            continue
        if channel == 255:
            endpoint.half_closed = True
            wire.exit(0)
            return
        endpoint.typed += data
        line += data
        wire.send(1, data.replace(b"\r", b"\r\n"))
        if not line.endswith(b"\r"):
            continue
        word, line = line.strip(), b""
        if word.startswith(b"exit"):
            wire.exit(int(word.split()[1]) if b" " in word else 0)
            return
        if word == b"yes":
            while not endpoint.stop:
                wire.send(1, b"y\r\n" * 5000)
                endpoint.printed = wire.sent
        answers = {
            b"size": f"{size.get('Height')} {size.get('Width')}".encode(),
            b"colours": b"\x1b[31mred\x1b[0m \x1b[38;2;20;160;90mtrue\x1b[0m <script>no</script>",
            b"split": "鯨".encode()[:2],
        }
        if word in answers:
            wire.send(1, answers[word])
            if word == b"split":
                wire.send(1, "鯨".encode()[2:])
            wire.send(1, b"\r\n")
        wire.send(1, b"$ ")


class ExecEndpoint:
    """pods/exec of one pod: what was asked, typed and resized, and what happens then."""

    def __init__(self, server: ApiServer, name: str = "web", program=shell) -> None:
        self.program = program
        self.protocols = ("v4.channel.k8s.io",)
        self.refuses = None
        self.queries: list[dict] = []
        self.headers: list[list[tuple[str, str]]] = []
        self.sizes: list[tuple[int, int]] = []
        self.typed = b""
        self.printed = 0
        self.half_closed = False
        self.stop = False
        self.open = 0
        server.streams[pod_path(name) + "/exec"] = self

    def __call__(self, handler: Handler, _query: dict) -> None:
        self.queries.append(parse_qs(urlsplit(handler.path).query))
        self.headers.append(handler.headers.items())
        handler.close_connection = True
        if self.refuses:
            status, message = self.refuses
            handler._json(status, {"kind": "Status", "message": message, "code": status})
            return
        offered = [p.strip() for p in handler.headers["Sec-WebSocket-Protocol"].split(",")]
        chosen = next((p for p in offered if p in self.protocols), "")
        key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        handler.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", proof),
            ("Sec-WebSocket-Protocol", chosen),
        ):
            handler.send_header(name, value)
        handler.end_headers()
        self.open += 1
        try:
            with contextlib.suppress(OSError, ValueError):
                self.program(Wire(handler), self)
        finally:
            self.open -= 1
