"""Calls beside plain reads, against a real HTTPS server: lines, evictions, time limits."""

from __future__ import annotations

import json
import time

import pytest

from clusters.kube import ClusterUnreachable, Connection, TooManyRequests, UnexpectedAnswer
from clusters.kube.credentials import Credentials
from clusters.kube.disruption import evict, policy_version
from tests.unit.clusters.apiserver import ApiServer, Handler
from tests.unit.clusters.authority import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


@pytest.fixture
def conn(server):
    certificate, key = server.authority.client()
    opened = Connection(Credentials(server.endpoint, server.authority.crt, certificate, key))
    yield opened
    opened.close()


@pytest.fixture
def posts(monkeypatch):
    """What was posted; the answer is what `reply` holds: status and body."""
    seen = {"reply": (201, b"{}"), "delay": 0.0, "calls": []}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen["calls"].append((self.path, json.loads(body)))
        time.sleep(seen["delay"])
        status, answer = seen["reply"]
        self._send(status, {"Content-Type": "application/json"}, answer)

    monkeypatch.setattr(Handler, "do_POST", do_POST, raising=False)
    return seen


POD = {"metadata": {"namespace": "shop", "name": "web", "uid": "u-1"}}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_server_says_which_eviction_it_takes(conn, server, posts, version):
    resource = {"name": "pods/eviction", "group": "policy", "version": version, "kind": "Eviction"}
    answer = {"resources": [{"name": "pods"}, resource]}
    server.override = (200, {}, json.dumps(answer).encode())
    assert policy_version(conn) == version
    evict(conn, POD, version, 5.0)
    ((path, body),) = posts["calls"]
    assert path.startswith("/api/v1/namespaces/shop/pods/web/eviction")
    assert body["apiVersion"] == f"policy/{version}"
    assert body["deleteOptions"] == {"preconditions": {"uid": "u-1"}}


def test_a_server_without_evictions_is_named(conn, server):
    server.override = (200, {}, b'{"resources": []}')
    with pytest.raises(UnexpectedAnswer, match="evictions"):
        policy_version(conn)


def test_a_change_is_sent_once_and_has_its_own_time_limit(conn, posts):
    posts["delay"] = 1.5
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable, match="in time"):
        evict(conn, POD, "v1", 0.3)
    assert time.monotonic() - began < 1.4
    assert len(posts["calls"]) == 1


def test_a_busy_server_is_not_asked_twice(conn, posts):
    status = {"kind": "Status", "message": "too many", "details": {"retryAfterSeconds": 1}}
    posts["reply"] = (429, json.dumps(status).encode())
    with pytest.raises(TooManyRequests) as caught:
        evict(conn, POD, "v1", 5.0)
    assert caught.value.retry_after == 1
    assert len(posts["calls"]) == 1


@pytest.mark.parametrize("drip", [False, True])
def test_a_text_comes_line_by_line(conn, server, drip):
    server.drip = drip
    server.override = (200, {}, b"one\ntwo\n\nthr\xffee")
    assert list(conn.lines("/metrics")) == ["one", "two", "", "thr\ufffdee"]


def test_a_text_that_does_not_end_is_cut_off(conn, server):
    server.override = (200, {}, b"x" * 200_000)
    with pytest.raises(UnexpectedAnswer, match="without an end"):
        list(conn.lines("/metrics"))
    server.override = (200, {}, b"line\n" * 50_000)
    with pytest.raises(UnexpectedAnswer, match="more than 1000 bytes"):
        list(conn.lines("/metrics", limit=1000))
    server.drip = True
    with pytest.raises(ClusterUnreachable, match="did not finish"):
        list(conn.lines("/metrics", timeout=0.4))


def test_a_text_that_is_left_half_read_leaves_no_connection_for_others(conn, server):
    server.override = (200, {}, b"line\n" * 50_000)
    lines = conn.lines("/metrics")
    next(lines)
    lines.close()
    server.override = None
    assert conn.version() == "v1.20.2"
