"""The scripted API server with what namespaces need: objects that are read one by one and written.

Apply is a plain replacement here: what server-side apply does is tried on a real kube-apiserver
in tests/integration/test_tenancy.py.
"""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

from clusters.inventory.kinds import Kind
from tests.unit.clusters.apiserver import ApiServer, Handler

RBAC = "rbac.authorization.k8s.io"
KINDS = (
    Kind("", ("v1",), "resourcequotas", "ResourceQuota"),
    Kind("", ("v1",), "limitranges", "LimitRange"),
    Kind("networking.k8s.io", ("v1",), "networkpolicies", "NetworkPolicy"),
    Kind(RBAC, ("v1",), "rolebindings", "RoleBinding"),
    Kind(RBAC, ("v1",), "clusterroles", "ClusterRole", namespaced=False),
)


class ClusterServer(ApiServer):
    """writes: "METHOD path" of each; refuses: {a part of a path: (status, message)} for writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.refuses: dict[str, tuple[int, str]] = {}
        self.before_write = lambda: None
        for kind in KINDS:
            self.serve(kind)

    def _listen(self, port: int) -> None:
        super()._listen(port)
        self._http.RequestHandlerClass = type("Bound", (WritingHandler,), {"state": self})

    def place(self, path: str) -> tuple[str, str, str] | None:
        """(resource, namespace, name) of an object's or a namespace's collection's path."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        root = 2 if parts[0] == "api" else 3
        rest, namespace = parts[root:], ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        collection = "/" + "/".join([*parts[:root], *rest[:1]])
        if collection not in self.kinds:
            return None
        return self.kinds[collection].resource, namespace, rest[1] if len(rest) > 1 else ""


class WritingHandler(Handler):
    state: ClusterServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        place = self.state.place(path)
        if place is None or path in self.state.kinds:
            super().do_GET()
            return
        self.state.requests.append(self.path)
        resource, namespace, name = place
        known = self.state.objects[resource]
        if not name:
            items = [o for o in known.values() if o["metadata"].get("namespace") == namespace]
            self._json(200, {"kind": "List", "metadata": {}, "items": items})
        elif (key := f"{namespace}/{name}".lstrip("/")) in known:
            self._json(200, known[key])
        else:
            self._status(404, f"{name} not found")

    def do_POST(self) -> None:
        self._write("POST")

    def do_PATCH(self) -> None:
        self._write("PATCH")

    def do_DELETE(self) -> None:
        self._write("DELETE")

    def _write(self, method: str) -> None:
        state = self.state
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = unquote(urlsplit(self.path).path)
        state.writes.append(f"{method} {path}")
        state.before_write()
        for part, (status, message) in state.refuses.items():
            if part in path:
                self._status(status, message)
                return
        place = state.place(path)
        if place is None:
            self._status(404, "no such path")
            return
        resource, namespace, name = place
        name = name or body["metadata"]["name"]
        key = f"{namespace}/{name}".lstrip("/")
        known = state.objects[resource]
        if method == "DELETE":
            self._json(200, known.pop(key))
            return
        if method == "POST" and key in known:
            self._status(409, f"{name} already exists")
            return
        known[key] = body
        self._json(200, body)

    def _status(self, code: int, message: str) -> None:
        self._json(code, {"kind": "Status", "code": code, "message": message})
