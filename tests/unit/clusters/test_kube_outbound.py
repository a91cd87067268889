"""Connections to imported clusters: the address that was checked is the one that is used."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from ipaddress import ip_network

import pytest

from clusters.kube import (
    AddressRefused,
    CertificateRefused,
    ClusterUnreachable,
    Connection,
    UnexpectedAnswer,
    connect,
    outbound,
    streams,
)
from clusters.kube.credentials import CA, TOKEN, Credentials
from clusters.kube.outbound import Outbound
from clusters.models import ClusterSecret, Origin
from tests.factories import ClusterFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.import_server import ImportServer

LOCAL = [ip_network("127.0.0.0/8")]


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


def open_to(server: ApiServer, host: str = "127.0.0.1", **rules: object) -> Connection:
    certificate, key = server.authority.client()
    endpoint = f"https://{host}:{server.port}"
    return Connection(
        Credentials(
            endpoint, server.authority.crt, certificate, key,
            outbound=Outbound(**{"private": True, "allowed": [], **rules}),
        )
    )  # fmt: skip


class Resolver:
    """Local DNS whose answers change from one question to the next."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_loopback_is_refused_before_a_byte_is_sent(server):
    with pytest.raises(AddressRefused, match="loopback") as caught:
        open_to(server).version()
    assert "FLOTILLA_OUTBOUND_ALLOWED" in caught.value.mend
    assert server.requests == []
    assert server.connections == []


def test_an_allowed_network_is_connected_to(server):
    assert open_to(server, allowed=LOCAL).version() == "v1.20.2"


def test_a_name_that_resolves_to_loopback_is_refused(server):
    resolver = Resolver(["127.0.0.1"])
    with pytest.raises(AddressRefused, match=r"api\.example \(127\.0\.0\.1\)"):
        open_to(server, "api.example", resolve=resolver).version()
    assert server.connections == []


def test_dns_that_changes_after_the_check_gains_nothing(server, monkeypatch):
    """The resolver answers well once and with loopback ever after: nobody asks it again."""
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    allowed = [ip_network("127.0.0.2/32")]  # stands for any address that is fine
    connection = open_to(server, "kubernetes", allowed=allowed, resolve=resolver)
    with pytest.raises(ClusterUnreachable, match="refuses connections"):
        connection.version()  # the server listens on 127.0.0.1 alone
    assert resolver.asked == ["kubernetes"]
    # The next connection asks again, and what it hears now is refused.
    with pytest.raises(AddressRefused, match="loopback"):
        connection.version()
    assert server.connections == []


def test_the_certificate_has_to_name_the_host_and_not_the_address(server):
    resolver = Resolver(["127.0.0.1"])
    named = open_to(server, "kubernetes", allowed=LOCAL, resolve=resolver)
    assert named.version() == "v1.20.2"
    with pytest.raises(CertificateRefused, match="not trusted"):
        open_to(server, "other.example", allowed=LOCAL, resolve=resolver).version()


def test_the_second_address_is_tried_when_the_first_does_not_answer(server):
    resolver = Resolver(["127.0.0.9", "127.0.0.1"])
    assert open_to(server, "kubernetes", allowed=LOCAL, resolve=resolver).version() == "v1.20.2"


def test_many_silent_addresses_of_a_name_share_one_time_limit():
    """Each had five seconds: a name with a hundred held a thread for minutes."""
    with socket.socket() as silent:
        silent.bind(("0.0.0.0", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # a full queue: no more is answered
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        rules = Outbound(True, LOCAL, Resolver([f"127.0.0.{n}" for n in range(1, 31)]))
        done = threading.Event()

        def connect() -> None:
            with contextlib.suppress(OSError):
                outbound.open_socket("many.example", port, rules, 1.0).close()
            done.set()

        threading.Thread(target=connect, daemon=True).start()
        assert done.wait(10)
        for one in waiting:
            one.close()


def test_one_refused_address_of_several_refuses_the_name(server):
    resolver = Resolver(["127.0.0.1", "169.254.169.254"])
    with pytest.raises(AddressRefused, match="link-local"):
        open_to(server, "kubernetes", allowed=LOCAL, resolve=resolver).version()
    assert server.connections == []


def test_a_name_without_an_address_is_an_outage(server):
    with pytest.raises(ClusterUnreachable, match="not known") as caught:
        open_to(server, "kubernetes", resolve=Resolver([])).version()
    assert not isinstance(caught.value, AddressRefused)


def test_redirects_are_not_followed(server):
    target = f"{server.endpoint}/stolen"
    server.override = (307, {"Location": target}, b"")
    with pytest.raises(UnexpectedAnswer, match="redirect"):
        open_to(server, allowed=LOCAL).version()
    assert server.count("/stolen") == 0


@pytest.mark.django_db
@pytest.mark.parametrize("origin", [Origin.IMPORTED, Origin.PROVISIONED, Origin.SYSTEM])
def test_only_imported_clusters_are_bound_by_the_rules(authority, origin, settings):
    with ImportServer(authority) as server:
        cluster = ClusterFactory(origin=origin, endpoint=server.endpoint)
        ClusterSecret.objects.create(cluster=cluster, name=CA, value=authority.crt)
        ClusterSecret.objects.create(cluster=cluster, name=TOKEN, value="a-token")
        if origin == Origin.IMPORTED:
            with pytest.raises(AddressRefused):
                connect(cluster).version()
            settings.OUTBOUND_ALLOWED = LOCAL
            ClusterSecret.objects.get(cluster=cluster, name=TOKEN).save()
        assert connect(cluster).version() == "v1.20.2"
        assert server.tokens == ["a-token"]


def test_streams_follow_the_rules_too(server):
    """Logs and terminals open sockets of their own."""
    certificate, key = server.authority.client()
    credentials = Credentials(
        f"https://127.0.0.1:{server.port}", server.authority.crt, certificate, key,
        outbound=Outbound(private=True),
    )  # fmt: skip
    with pytest.raises(AddressRefused, match="loopback"):
        streams.dial(credentials)
    assert server.connections == []
    allowed = replace(credentials, outbound=Outbound(private=True, allowed=LOCAL))
    streams.dial(allowed).close()
