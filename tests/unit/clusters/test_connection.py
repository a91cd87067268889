"""The client against a real HTTPS server: what it trusts, its time limits, its errors."""

from __future__ import annotations

import gzip
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from clusters.kube import (
    AccessRefused,
    CertificateRefused,
    ClusterUnreachable,
    Connection,
    CredentialsMissing,
    Gone,
    KubeError,
    NotFound,
    ServerNotReady,
    UnexpectedAnswer,
    connect,
    listing,
)
from clusters.kube.credentials import Credentials
from tests.factories import ClusterFactory
from tests.unit.clusters.apiserver import ApiServer, node
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


@pytest.fixture
def connection(server):
    opened = open_to(server)
    yield opened
    opened.close()


def open_to(server: ApiServer, ca: str = "", pair: tuple[str, str] | None = None) -> Connection:
    certificate, key = pair or server.authority.client()
    return Connection(Credentials(server.endpoint, ca or server.authority.crt, certificate, key))


def test_it_signs_in_with_its_certificate_and_reads_json(connection, server):
    assert connection.version() == "v1.20.2"
    assert server.subjects == ["flotilla:console"]


def test_a_list_is_read_page_by_page(connection, server):
    for n in range(7):
        server.put(node(f"n{n}"))
    server.page = 3
    listing = connection.nodes()
    assert [item["metadata"]["name"] for item in listing.items] == [f"n{n}" for n in range(7)]
    assert listing.resource_version == str(server.version)
    assert server.count("limit=500") == 3


def test_readyz_tells_not_ready_from_away(connection, server):
    connection.readyz()
    server.ready = False
    with pytest.raises(ServerNotReady, match="not ready") as caught:
        connection.readyz()
    assert server.endpoint in caught.value.cause
    assert caught.value.mend


def test_a_server_of_another_authority_is_not_trusted(server):
    with pytest.raises(CertificateRefused, match="not trusted"):
        open_to(server, ca=Authority("other").crt).version()
    assert server.requests == []


def test_a_certificate_for_another_address_is_not_trusted(authority):
    with (
        ApiServer(authority, authority.server("10.1.2.3")) as server,
        pytest.raises(CertificateRefused, match="not trusted"),
    ):
        open_to(server).version()


def test_an_expired_server_certificate_is_named(authority):
    expired = authority.server("127.0.0.1", life=timedelta(hours=-1))
    with (
        ApiServer(authority, expired) as server,
        pytest.raises(CertificateRefused, match="expired"),
    ):
        open_to(server).version()


@pytest.mark.parametrize(
    "pair",
    [
        Authority("other").client(),
        None,
    ],
    ids=["other authority", "expired"],
)
def test_a_refused_client_certificate_is_told_apart(server, pair):
    pair = pair or server.authority.client(life=timedelta(hours=-1))
    with pytest.raises(CertificateRefused, match=r"refuses the console's client certificate"):
        open_to(server, pair=pair).version()


def test_a_key_that_does_not_fit_is_named_and_not_shown(server):
    certificate, _key = server.authority.client()
    _other, key = server.authority.client()
    with pytest.raises(CertificateRefused) as caught:
        open_to(server, pair=(certificate, key))
    assert "PRIVATE" not in str(caught.value)
    assert "BEGIN" not in repr(caught.value)


def test_the_key_touches_no_disk_and_no_descriptor_stays_open(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for _ in range(5):
        opened = open_to(server)
        opened.version()
        opened.close()
    assert list(tmp_path.iterdir()) == []
    descriptors = [link_of(path) for path in Path("/proc/self/fd").iterdir()]
    assert [link for link in descriptors if "memfd" in link] == []


def link_of(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def test_nobody_listening(server):
    opened = open_to(server)
    server.down()
    try:
        with pytest.raises(ClusterUnreachable, match="refuses connections") as caught:
            opened.version()
    finally:
        server.up()
    assert server.endpoint in caught.value.cause


def test_a_slow_answer_ends_at_the_time_limit(connection, server):
    server.delay = 2
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable, match="in time"):
        connection.get_json("/version", timeout=0.3)
    assert time.monotonic() - began < 1.5


def test_a_dripping_answer_ends_at_the_time_limit(connection, server):
    server.drip = True
    server.override = (200, {}, b"{" + b" " * 200 + b"}")
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable, match="did not finish"):
        connection.get_json("/version", timeout=0.5)
    assert time.monotonic() - began < 4


def test_a_dripping_head_of_an_answer_ends_at_the_time_limit(connection, server):
    """Each byte came in time, so the thread of a page waited for as long as it dripped."""

    def drip(handler, _query):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slow: ")
        for _byte in range(60):
            handler.wfile.write(b"x")
            time.sleep(0.05)
        handler.wfile.write(b"\r\n\r\n{}")

    server.streams["/slow"] = drip
    with pytest.raises(ClusterUnreachable, match="in time"):
        connection.get_json("/slow", timeout=0.4)
    assert connection.get_json("/slow", timeout=8) == {}


def test_a_list_without_an_end_has_one(connection, server):
    """A server that always told of one more page kept a thread, and all its pages in memory."""
    page = {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}
    server.paths["/apis/x/v1/things"] = page
    told: list[KubeError] = []

    def read() -> None:
        try:
            connection.listing("/apis/x/v1/things", timeout=0.2)
        except KubeError as error:
            told.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    server.paths.clear()
    assert "did not finish" in str(told[0])


def test_a_list_of_too_many_bytes_is_refused(connection, server, monkeypatch):
    monkeypatch.setattr(listing, "WHOLE_LIMIT", 1000)
    page = {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a" * 100}}]}
    server.paths["/apis/x/v1/things"] = page
    with pytest.raises(UnexpectedAnswer, match="lists more than"):
        connection.listing("/apis/x/v1/things")


def test_a_connection_that_failed_half_way_serves_no_other_call(connection, server):
    server.delay = 0.5
    with pytest.raises(ClusterUnreachable):
        connection.get_json("/api/v1/nodes", {"limit": "1"}, timeout=0.2)
    server.delay = 0
    assert connection.version() == "v1.20.2"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessRefused),
        (403, AccessRefused),
        (404, NotFound),
        (410, Gone),
        (429, UnexpectedAnswer),
        (500, UnexpectedAnswer),
    ],
)
def test_statuses_become_errors_with_the_servers_message(connection, server, status, kind):
    server.override = (status, {}, b'{"message": "because\\u001b[31m of\\nthis"}')
    with pytest.raises(kind) as caught:
        connection.get_json("/api/v1/nodes")
    assert "because [31m of this" in str(caught.value)
    assert len(server.requests) == 1, "no second attempt behind our back"


def test_redirects_are_not_followed(connection, server):
    with ApiServer(server.authority) as other:
        server.override = (302, {"Location": f"{other.endpoint}/version"}, b"")
        with pytest.raises(UnexpectedAnswer, match="redirect"):
            connection.version()
        assert other.requests == []


def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    with ApiServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        monkeypatch.setenv("https_proxy", proxy.endpoint)
        assert open_to(server).version() == "v1.20.2"
        assert proxy.requests == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b'{"a":'])
def test_an_answer_that_is_no_json_object(connection, server, body):
    server.override = (200, {}, body)
    with pytest.raises(UnexpectedAnswer, match="no JSON object"):
        connection.get_json("/version")


def test_a_compressed_answer_is_not_blown_up(connection, server):
    bomb = gzip.compress(b" " * 50_000_000)
    server.override = (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(UnexpectedAnswer):
        connection.get_json("/version")


def test_an_answer_too_large_is_cut_off(connection, server, monkeypatch):
    monkeypatch.setattr("clusters.kube.connection.ANSWER_LIMIT", 1000)
    server.override = (200, {}, b'{"a": "' + b"x" * 5000 + b'"}')
    with pytest.raises(UnexpectedAnswer, match="more than 1000 bytes"):
        connection.get_json("/version")


def test_a_watch_brings_events_as_they_come(connection, server):
    with connection.watch("/api/v1/nodes", str(server.version), 5) as watch:
        events = iter(watch)
        server.put(node("a"))
        first = next(events)
        server.remove("a")
        second = next(events)
    assert (first["type"], second["type"]) == ("ADDED", "DELETED")
    assert first["object"]["metadata"]["name"] == "a"


def test_a_watch_of_an_old_version_is_gone(connection, server):
    server.compact()
    with pytest.raises(Gone):
        connection.watch("/api/v1/nodes", "100")


def test_a_watch_that_grows_too_old_is_gone(connection, server):
    with connection.watch("/api/v1/nodes", str(server.version), 5) as watch:
        server.compact()
        with pytest.raises(Gone):
            list(watch)


def test_a_watch_that_is_cut_says_so(connection, server):
    with connection.watch("/api/v1/nodes", str(server.version), 30) as watch:
        server.put(node("a"))
        events = iter(watch)
        next(events)
        server.cut()
        with pytest.raises(ClusterUnreachable):
            next(events)


def test_a_watch_can_be_stopped_while_it_waits(connection, server):
    with connection.watch("/api/v1/nodes", str(server.version), 30) as watch:
        threading.Timer(0.3, watch.stop).start()
        began = time.monotonic()
        assert list(watch) == []
        assert time.monotonic() - began < 3


def test_connect_keeps_one_connection_until_the_credentials_change(db, server):
    cluster = cluster_of(server)
    first = connect(cluster)
    assert first.version() == "v1.20.2"
    assert connect(cluster) is first
    certificate, key = server.authority.client("flotilla:renewed")
    for name, value in (("console/client.crt", certificate), ("console/client.key", key)):
        row = cluster.secrets.get(name=name)
        row.value = value
        row.save()
    assert connect(cluster) is not first
    connect(cluster).version()
    assert server.subjects == ["flotilla:console", "flotilla:renewed"]


def test_connect_names_what_is_missing(db, server):
    cluster = cluster_of(server)
    cluster.secrets.filter(name="console/client.key").delete()
    with pytest.raises(CredentialsMissing, match=r"console/client\.key"):
        connect(cluster)
    bare = ClusterFactory(endpoint="")
    with pytest.raises(KubeError, match="endpoint"):
        connect(bare)
