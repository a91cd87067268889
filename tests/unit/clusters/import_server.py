"""The scripted API server with what imports need: tokens, access reviews, server-side apply."""

from __future__ import annotations

import base64
import json
import ssl
import time

from tests.unit.clusters.apiserver import ApiServer, Handler

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
ACCOUNT_TOKEN = "token-of-the-account"


class ImportServer(ApiServer):
    """accepted: tokens that sign in; denied: (verb, resource) that the reviews say no to."""

    def __init__(self, *arguments: object, uid: str = "uid-1", **options: object) -> None:
        super().__init__(*arguments, **options)
        self.accepted = {"a-token"}
        self.tokens: list[str] = []
        self.denied: set[tuple[str, str]] = set()
        self.applied: list[dict] = []
        self.deleted: list[str] = []
        self.reviewed: list[dict] = []
        self.fills_tokens = True
        self.seconds = 0.0  # before every answer
        self.forbidden_patch = ""  # a path that must not be changed
        self.paths[KUBE_SYSTEM] = {"metadata": {"name": "kube-system", "uid": uid}}

    def _listen(self, port: int) -> None:
        super()._listen(port)
        self._http.context.verify_mode = ssl.CERT_OPTIONAL
        self._http.RequestHandlerClass = type("Bound", (ImportHandler,), {"state": self})


class ImportHandler(Handler):
    state: ImportServer

    def _signed_in(self) -> bool:
        state = self.state
        time.sleep(state.seconds)
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given:
            state.tokens.append(given)
        if self.request.getpeercert() or given in state.accepted:
            return True
        self._json(401, {"kind": "Status", "code": 401, "message": "Unauthorized"})
        return False

    def do_GET(self) -> None:
        if self.request.getpeercert():
            super().do_GET()
            return
        state = self.state
        state.requests.append(self.path)
        path = self.path.partition("?")[0]
        if not self._signed_in():
            return
        if state.override is not None:
            self._send(*state.override)
        elif path == "/readyz":
            self._send(200, {"Content-Type": "text/plain"}, b"ok")
        elif path == "/version":
            self._json(200, {"gitVersion": state.git_version})
        elif path in state.paths:
            self._json(200, state.paths[path])
        else:
            self._json(404, {"kind": "Status", "message": "no such path", "code": 404})

    def _body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

    def do_POST(self) -> None:
        body = self._body()
        self.state.requests.append(self.path)
        if not self._signed_in():
            return
        if self.path.partition("?")[0] != REVIEWS:
            self._json(404, {"kind": "Status", "code": 404})
            return
        asked = body["spec"]["resourceAttributes"]
        self.state.reviewed.append(asked)
        allowed = (asked["verb"], asked["resource"]) not in self.state.denied
        self._json(201, {**body, "status": {"allowed": allowed}})

    def do_PATCH(self) -> None:
        body, path = self._body(), self.path.partition("?")[0]
        if not self._signed_in():
            return
        if path == self.state.forbidden_patch:
            self._json(403, {"kind": "Status", "code": 403, "message": "no rights here"})
            return
        self.state.applied.append(body)
        stored = dict(body)
        if body["kind"] == "Secret" and self.state.fills_tokens:
            self.state.accepted.add(ACCOUNT_TOKEN)
            stored["data"] = {"token": base64.b64encode(ACCOUNT_TOKEN.encode()).decode()}
        self.state.paths[path] = stored
        self._json(200, stored)

    def do_DELETE(self) -> None:
        self._body()
        if not self._signed_in():
            return
        path = self.path.partition("?")[0]
        self.state.deleted.append(path)
        found = self.state.paths.pop(path, None)
        self._json(200 if found else 404, {"kind": "Status", "code": 200 if found else 404})
