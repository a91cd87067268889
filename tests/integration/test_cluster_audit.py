"""The audit log that clusters of the console keep, on a real kube-apiserver of each release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clusters.kube import Connection, Forbidden, Impersonation
from clusters.kube.acting import Acting
from console.audit.cause import caused_by
from tests.e2e.console import wait_for
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CANARY = "c4n4ry-0f-4-53cr3t"
CORE = "/api/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
ANNA = Impersonation("flotilla:user:7", ("flotilla:operator",), "anna")


@pytest.fixture(scope="module", params=api_server.cached_versions() or [""])
def server(request: pytest.FixtureRequest) -> Iterator[RealApiServer]:
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer(audited=True, version=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def conn(server: RealApiServer) -> Connection:
    return server.connection()


def entries(server: RealApiServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.audit_log.read_text().splitlines()]


def found(server: RealApiServer, text: str) -> dict[str, Any]:
    """The first entry whose URI holds the text, which comes within seconds."""
    wait_for(lambda: any(text in e["requestURI"] for e in entries(server)), 10, text)
    return next(e for e in entries(server) if text in e["requestURI"])


def test_a_call_in_somebodys_name_has_the_name_and_the_consoles(server, conn):
    with pytest.raises(Forbidden):
        Acting(conn, ANNA).post(f"{CORE}/pods", {"metadata": {"name": "no"}})
    entry = found(server, f"{CORE}/pods?")
    assert entry["impersonatedUser"]["username"] == "flotilla:user:7"
    assert entry["userAgent"] == "flotilla (anna)"
    assert entry["user"]["username"] == "flotilla:console"
    assert (entry["verb"], entry["responseStatus"]["code"]) == ("create", 403)


def test_the_content_of_no_secret_is_in_it(server, conn):
    pod = {"containers": [
        {"name": "c", "image": "i", "env": [{"name": "PASSWORD", "value": CANARY}]}
    ]}  # fmt: skip
    conn.post(f"{CORE}/secrets", {"metadata": {"name": "s"}, "stringData": {"password": CANARY}})
    conn.post(f"{CORE}/configmaps", {"metadata": {"name": "m"}, "data": {"password": CANARY}})
    conn.apply(
        f"{CORE}/secrets/s",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
         "stringData": {"more": CANARY}},
    )  # fmt: skip
    conn.get_json(f"{CORE}/secrets/s")
    conn.listing(f"{CORE}/secrets")
    conn.post(f"{CORE}/serviceaccounts", {"metadata": {"name": "robot"}})
    conn.post(
        f"{CORE}/pods",
        {"metadata": {"name": "p"}, "spec": {**pod, "automountServiceAccountToken": False}},
    )
    token = conn.post(
        f"{CORE}/serviceaccounts/robot/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]
    conn.post(
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
         "spec": {"token": token}},
    )  # fmt: skip
    entry = found(server, "/tokenreviews")
    assert entry["level"] == "Metadata"
    text = server.audit_log.read_text()
    for secret in (CANARY, token, token.rpartition(".")[2]):
        assert secret not in text
    verbs = {e["verb"] for e in entries(server) if e.get("objectRef", {}).get("name") == "s"}
    assert verbs >= {"patch", "get"}, "each look at a secret is there"


def test_what_was_sent_for_a_right_is_in_it(server, conn):
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    conn.post(f"{RBAC}/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
    assert found(server, f"{RBAC}/roles?")["requestObject"]["rules"] == [rule]


def test_the_clusters_own_chatter_is_not_in_it(server, conn):
    conn.readyz()
    conn.version()
    conn.listing("/api/v1/events")
    node = server.connection("system:node:n1", "system:nodes", "system:masters")
    node.watch(f"{CORE}/secrets", "0", seconds=1).stop()
    node.listing("/api/v1/services")
    node.get_json(f"{CORE}/configmaps/m")
    node.get_json(f"{CORE}/secrets/s")
    scheduler = server.connection("system:kube-scheduler", "system:masters")
    scheduler.listing("/api/v1/nodes")
    conn.get_json("/api/v1/namespaces/default")
    found(server, "/api/v1/namespaces/default")
    wait_for(
        lambda: (
            [
                (e["user"]["username"], e["verb"], e["requestURI"].partition("?")[0])
                for e in entries(server)
                if e["user"]["username"].startswith("system:node:")
            ]
            == [("system:node:n1", "get", f"{CORE}/secrets/s")]
        ),
        10,
        "what a kubelet did is there, but for its own chatter",
    )
    for e in entries(server):
        assert e["user"]["username"] != "system:kube-scheduler"
        assert not e["requestURI"].startswith(("/readyz", "/healthz", "/version", "/api/v1/events"))


def test_the_log_has_the_id_of_the_request(server, conn):
    request = "6f1c2a0e-0000-4000-8000-00000000000a"
    with caused_by(request):
        acting = Acting(conn, Impersonation("admin", ("system:masters",)))
        acting.post(f"{CORE}/configmaps", {"metadata": {"name": "asked-for"}})
        acting.get_json(f"{CORE}/configmaps/asked-for")
    found(server, "/configmaps/asked-for")
    caused = [e for e in entries(server) if e["auditID"].startswith(f"{request}.")]
    assert [e["verb"] for e in caused] == ["create", "get"]
    assert len({e["auditID"] for e in caused}) == 2
    assert acting.own_audit_ids == []
