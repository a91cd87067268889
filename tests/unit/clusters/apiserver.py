"""A local HTTPS server that lists and watches as an API server does, faults included.

It serves every kind that the inventory knows, and what serve() adds, as plain
JSON, as metadata and as tables, whichever the request asks for.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from clusters.inventory.kinds import EVENTS, KINDS, Kind, object_path
from tests.unit.clusters.authority import Authority


def node(name: str, ready: bool = True, **labels: str) -> dict:
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"kubernetes.io/hostname": name, **labels},
        },
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {
            "capacity": {"cpu": "2", "memory": "2048Mi", "pods": "110"},
            "allocatable": {"cpu": "2", "memory": "1948Mi", "pods": "110"},
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": "10.77.0.11"},
            ],
            "conditions": [
                {"type": "MemoryPressure", "status": "False", "reason": "Enough"},
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "reason": "KubeletReady" if ready else "KubeletNotReady",
                    "message": "" if ready else "network plugin is not ready",
                    "lastTransitionTime": "2026-01-02T03:05:05Z",
                },
            ],
            "nodeInfo": {"kubeletVersion": "v1.20.2", "architecture": "amd64"},
        },
    }


class ApiServer:
    """State and switches; `with ApiServer() as server:` listens on a free port of 127.0.0.1."""

    def __init__(
        self,
        authority: Authority | None = None,
        certificate=None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.authority = authority or Authority()
        self.certificate = certificate or self.authority.server("127.0.0.1")
        # Objects by resource ("deployments.apps") and key ("namespace/name", or the name).
        self.objects: dict[str, dict[str, dict]] = {}
        self.kinds: dict[str, Kind] = {}
        for kind in (*KINDS, EVENTS):
            self.serve(kind)
        # (version, watch event, resource)
        self.events: list[tuple[int, dict, str]] = []
        # By resource or path: the (status, headers, body) of every list, or of the next ones.
        self.faults: dict[str, tuple] = {}
        self.hangs: set[str] = set()  # resources whose lists and watches never answer
        self.gone_pages: dict[str, int] = {}  # how many further pages of a path answer 410
        self.accepts: list[tuple[str, str]] = []  # path and Accept of every request
        self.version = 100
        self.oldest = 100  # watches from before this answer 410
        self.git_version = "v1.20.2"
        self.page = 0  # at most this many objects in a page, whatever the limit
        self.address, self.port = address, port
        self.ready = True
        self.failing = "[-]etcd failed: reason withheld"  # /readyz while it is not ready
        self.paths: dict[str, object] = {}  # further paths and the JSON that they answer
        self.streams: dict[str, object] = {}  # paths answered by (handler, query): logs, exec
        self.delay = 0.0  # before every answer
        self.override = None  # (status, headers, body) for every request
        self.drip = False  # answers one byte each 50 ms
        self.requests: list[str] = []
        self.subjects: list[str] = []
        self.connections: list = []
        self.lock = threading.Condition()
        self._stopping = False

    def serve(self, kind: Kind, version: str = "") -> None:
        """Serve a kind, in this version alone; an older one moves it (`v1beta1`)."""
        version = version or kind.versions[0]
        self.kinds = {p: k for p, k in self.kinds.items() if k.resource != kind.resource}
        self.kinds[object_path(kind.api_version(version), kind.plural)] = kind
        self.objects.setdefault(kind.resource, {})

    @property
    def nodes(self) -> dict[str, dict]:
        return self.objects["nodes"]

    @nodes.setter
    def nodes(self, items: dict[str, dict]) -> None:
        self.objects["nodes"] = items

    # What happens in the cluster.

    def put(self, resource: str | dict, item: dict | None = None) -> None:
        """put("pods", pod("a")), or a node alone: put(node("a"))."""
        if not isinstance(resource, str):
            resource, item = "nodes", resource
        assert item is not None
        with self.lock:
            known, key = self.objects[resource], key_of(item)
            self._event("MODIFIED" if key in known else "ADDED", item, resource)
            known[key] = item

    def remove(self, resource: str, key: str = "") -> None:
        """remove("pods", "default/a"), or a node alone: remove("a")."""
        if not key:
            resource, key = "nodes", resource
        with self.lock:
            self._event("DELETED", self.objects[resource].pop(key), resource)

    def say(self, resource: str, kind: str, item: dict) -> None:
        """A watch event as it is, whatever is true; the item keeps the version that it has."""
        with self.lock:
            self.version += 1
            self.events.append((self.version, {"type": kind, "object": item}, resource))
            self.lock.notify_all()

    def change_unseen(self, resource: str, item: dict) -> None:
        """A change of which no watch hears."""
        with self.lock:
            self.version += 1
            item["metadata"]["resourceVersion"] = str(self.version)
            self.objects[resource][key_of(item)] = item

    def bookmark(self) -> None:
        with self.lock:
            self._event("BOOKMARK", {"kind": "Node", "metadata": {}}, "nodes")

    def compact(self) -> None:
        """Forget the history: watches that go on from an old version get 410."""
        with self.lock:
            self.version += 10
            self.oldest = self.version
            self.lock.notify_all()

    def cut(self) -> None:
        """Cut every open connection."""
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.connections.clear()

    def _event(self, kind: str, item: dict, resource: str) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        # A copy: watchers are told what was, whatever the test does with the object later.
        event = {"type": kind, "object": json.loads(json.dumps(item))}
        self.events.append((self.version, event, resource))
        self.lock.notify_all()

    def count(self, part: str) -> int:
        return sum(part in request for request in self.requests)

    # The server.

    def __enter__(self) -> ApiServer:
        self._listen(self.port)
        return self

    def __exit__(self, *_error: object) -> None:
        self.down()

    def down(self) -> None:
        self._stopping = True
        with self.lock:
            self.lock.notify_all()
        self.cut()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def up(self) -> None:
        """Listen again on the same port."""
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._stopping = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pair, ca = Path(folder, "pair.pem"), Path(folder, "ca.pem")
            pair.write_text("".join(self.certificate))
            ca.write_text(self.authority.crt)
            context.load_cert_chain(pair)
            context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
        handler = type("Bound", (Handler,), {"state": self})
        self._http = QuietServer((self.address, port), handler)
        self._http.context = context
        self.port = self._http.server_address[1]
        self.endpoint = f"https://{self.address}:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()


def key_of(item: dict) -> str:
    metadata = item["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else metadata["name"]


def as_asked(item: dict, accept: str, columns: bool = True) -> dict:
    """The object in the representation that an Accept header asks for."""
    partial = {"kind": "PartialObjectMetadata", "metadata": item.get("metadata")}
    if "as=PartialObjectMetadata" in accept:
        return partial
    if "as=Table" not in accept:
        return item
    cells = [(item.get("metadata") or {}).get("name", ""), item.get("type", ""), 1, "5d"]
    table: dict = {"kind": "Table", "metadata": {}, "rows": [{"cells": cells, "object": partial}]}
    if columns:
        names = ("Name", "Type", "Data", "Age")
        table["columnDefinitions"] = [{"name": name, "type": "string"} for name in names]
    return table


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # cut connections are the point of these tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: ApiServer
    timeout = 30

    def setup(self) -> None:
        # In the connection's own thread, so that a bad handshake does not hold up the others.
        self.request = self.server.context.wrap_socket(
            self.request, server_side=True, do_handshake_on_connect=False
        )
        try:
            self.request.do_handshake()
        except OSError:
            time.sleep(0.3)  # a reset straight after the alert would make the alert vanish
            raise
        self.state.connections.append(self.request)
        super().setup()

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        state = self.state
        state.requests.append(self.path)
        state.accepts.append((self.path, self.headers.get("Accept", "")))
        subject = dict(pair[0] for pair in self.request.getpeercert()["subject"])
        state.subjects.append(subject.get("commonName", ""))
        if state.delay:
            time.sleep(state.delay)
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if state.override is not None:
            self._send(*state.override)
        elif url.path in state.faults and not query.get("watch"):
            self._send(*state.faults[url.path])
        elif url.path == "/readyz":
            body = b"ok" if state.ready else state.failing.encode()
            self._send(200 if state.ready else 500, {"Content-Type": "text/plain"}, body)
        elif url.path == "/version":
            self._json(200, {"gitVersion": state.git_version})
        elif callable(state.paths.get(url.path)):
            self._send(*state.paths[url.path]())  # answers status, headers and body
        elif url.path in state.streams:
            state.streams[url.path](self, query)
        elif url.path in state.paths:
            self._json(200, state.paths[url.path])
        elif url.path in state.kinds and state.kinds[url.path].resource in state.hangs:
            while state.kinds[url.path].resource in state.hangs and not state._stopping:
                time.sleep(0.05)
            self.close_connection = True
        elif url.path not in state.kinds:
            self._json(404, {"kind": "Status", "message": "no such path", "code": 404})
        elif query.get("watch"):
            self._watch(query, state.kinds[url.path].resource)
        elif (resource := state.kinds[url.path].resource) in state.faults:
            self._send(*state.faults[resource])
        else:
            self._list(query, resource)

    def _list(self, query: dict, resource: str) -> None:
        state = self.state
        path = urlsplit(self.path).path
        if query.get("continue") and state.gone_pages.get(path):
            state.gone_pages[path] -= 1
            self._json(410, {"kind": "Status", "code": 410, "reason": "Expired"})
            return
        with state.lock:
            known = state.objects[resource]
            items = [known[name] for name in sorted(known)]
            version = state.version
        first = int(query.get("continue", 0))
        size = min(int(query["limit"]), state.page or 10_000)
        metadata = {"resourceVersion": str(version)}
        if first + size < len(items):
            metadata["continue"] = str(first + size)
        accept = self.headers.get("Accept", "")
        page = [as_asked(item, accept) for item in items[first : first + size]]
        if "as=Table" in accept:
            head = as_asked({}, accept) | {"metadata": metadata}
            self._json(200, head | {"rows": [table["rows"][0] for table in page]})
        else:
            self._json(200, {"kind": "List", "metadata": metadata, "items": page})

    def _watch(self, query: dict, resource: str) -> None:
        state, last = self.state, int(query["resourceVersion"])
        accept, first = self.headers.get("Accept", ""), True
        ends = time.monotonic() + int(query["timeoutSeconds"])
        if last < state.oldest:
            self._json(410, {"kind": "Status", "code": 410, "message": "too old"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while time.monotonic() < ends and not state._stopping:
            with state.lock:
                fresh = [e for number, e, of in state.events if number > last and of == resource]
                if not fresh and last >= state.oldest:
                    state.lock.wait(0.05)
                    continue
                gone = last < state.oldest and not fresh
                lines = [
                    json.dumps(
                        event | {"object": as_asked(event["object"], accept, columns=first)}
                    ).encode()
                    for event in fresh
                ]
                first = False
                last = max([last, *(number for number, _event, _of in state.events)])
            if gone:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                self._chunk(json.dumps({"type": "ERROR", "object": status}).encode())
                break
            for line in lines:
                # In two parts: a line need not be a chunk.
                self._chunk(line[:7], end=b"")
                self._chunk(line[7:])
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes, end: bytes = b"\n") -> None:
        data += end
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(self, status: int, value: object) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _send(self, status: int, headers: dict, body: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.state.drip:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(body)
