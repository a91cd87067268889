"""A scripted API server that also takes changes, and a cluster's rows that point at it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from clusters.kube import disconnect
from clusters.models import Cluster, ClusterStatus, Object
from tests.factories import ObjectFactory
from tests.unit.clusters.apiserver import ApiServer, Handler
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of


@dataclass
class Calls:
    """What the cluster was asked: method, path with query, body, user and groups.

    objects: by path, what GET answers; replies: (method, path) to (status, body) where the
    answer is another than the object merged with what was sent. own_id: what the cluster says in
    place of the Audit-ID that it was sent.
    """

    made: list[dict] = field(default_factory=list)
    objects: dict[str, dict] = field(default_factory=dict)
    own_id: str = ""
    replies: dict[tuple[str, str], tuple[int, dict]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def changes(self) -> list[dict]:
        return [call for call in self.made if call["method"] != "GET"]

    def answer(self, handler: Handler, method: str) -> None:
        url = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length) or b"null")
        with self.lock:
            self.made.append(
                {
                    "method": method,
                    "path": url.path,
                    "query": url.query,
                    "body": body,
                    "user": handler.headers.get("Impersonate-User"),
                    "agent": handler.headers.get_all("User-Agent"),
                    "audit_id": handler.headers.get("Audit-ID", ""),
                    "groups": handler.headers.get_all("Impersonate-Group") or [],
                }
            )
            status, answer = self._answer(method, url.path, url.query, body)
        audit_id = self.own_id or handler.headers.get("Audit-ID", "")
        headers = {"Content-Type": "application/json", "Audit-ID": audit_id}
        handler._send(status, headers, json.dumps(answer).encode())

    def _answer(self, method: str, path: str, query: str, body: dict | None) -> tuple[int, dict]:
        if (method, path) in self.replies:
            return self.replies[method, path]
        there = self.objects.get(path)
        if there is None and method in ("GET", "DELETE"):
            return 404, {"kind": "Status", "message": f"{path} not found", "code": 404}
        if method in ("GET", "DELETE"):
            return 200, there
        new = merged(copy.deepcopy(there or {}), body) if method == "PATCH" else body
        if "dryRun=All" not in query and there is not None:
            self.objects[path] = new
        return 200, new


def merged(old: dict, patch: dict) -> dict:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict):
            old[key] = merged(old.get(key) if isinstance(old.get(key), dict) else {}, value)
        else:
            old[key] = value
    return old


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def calls(monkeypatch) -> Calls:
    kept = Calls()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        monkeypatch.setattr(
            Handler, f"do_{method}", lambda self, m=method: kept.answer(self, m), raising=False
        )
    return kept


@pytest.fixture
def server(authority, calls) -> Iterator[ApiServer]:
    with ApiServer(authority) as running:
        yield running


@pytest.fixture
def cluster(db, server) -> Iterator[Cluster]:
    row = cluster_of(server, name="harbour", status=ClusterStatus.ACTIVE)
    yield row
    disconnect(row.pk)


DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"


@pytest.fixture
def web(cluster, calls) -> Object:
    """A Deployment that the cluster and the inventory both have."""
    calls.objects[DEPLOYMENT] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u-1", "generation": 3,
            "resourceVersion": "41", "managedFields": [{"manager": "x"}],
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
        "status": {"replicas": 2},
    }  # fmt: skip
    calls.objects[f"{DEPLOYMENT}/scale"] = {"spec": {"replicas": 2}}
    return ObjectFactory(
        cluster=cluster, name="web", uid="u-1", status="Available", health="good",
        summary={"desired": 2, "ready": 2, "updated": 2, "available": 2, "current": 2},
    )  # fmt: skip


@pytest.fixture
def n1(cluster, calls) -> Object:
    calls.objects["/api/v1/nodes/n1"] = {
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"zone": "a"}, "resourceVersion": "7"},
        "spec": {},
    }
    return ObjectFactory(
        cluster=cluster, resource="nodes", api_version="v1", kind="Node", namespace="", name="n1",
        uid="u-n1",
    )  # fmt: skip


def page_of(row: Object, action: str) -> str:
    """The address of an operation on an object."""
    return (
        f"/clusters/{row.cluster_id}/objects/{row.resource}/{row.namespace or '-'}/{row.name}/"
        f"{action}/"
    )
