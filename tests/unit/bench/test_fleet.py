"""The scripted fleet: the watcher's own readers understand its lists, and its hung ports hang."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from pathlib import Path

import pytest

from bench.api_servers import DEAF, DROPS, SILENT, ApiServer, answer, way_of
from bench.fleet import p95
from bench.fleet_objects import OBJECTS, PODS
from clusters.inventory.collections import collections
from provisioning import pki
from provisioning.pki import Leaf


def test_every_kind_that_is_watched_has_rows() -> None:
    for collection in collections():
        status, body = answer("GET", f"{collection.path}?limit=500", collection.accept, b"")
        page = json.loads(body)
        assert status == 200, collection.path
        assert collection.is_page(page), collection.path
        entries = [collection.entry(1, item) for item in collection.items(page)]
        assert entries, collection.path
        assert all(entries), collection.path
    assert len(OBJECTS) == len(collections())


def test_secrets_are_told_by_their_type_alone() -> None:
    secrets = next(c for c in collections() if c.name == "secrets")
    page = json.loads(answer("GET", secrets.path, secrets.accept, b"")[1])
    assert [item["type"] for item in secrets.items(page)] == ["Opaque"]


def test_one_pod_of_each_cluster_needs_attention() -> None:
    pods = next(c for c in collections() if c.name == "pods")
    page = json.loads(answer("GET", pods.path, pods.accept, b"")[1])
    rows = [pods.entry(1, item).rows[0] for item in pods.items(page)]
    assert len(rows) == PODS
    assert [row.status for row in rows if row.health == "bad"] == ["CrashLoopBackOff"]


def test_what_is_not_served_is_not_found() -> None:
    assert answer("GET", "/apis/nothing.example/v1/things", "", b"")[0] == 404


def test_a_p95_is_a_value_that_was_measured() -> None:
    assert p95([float(n) for n in range(1, 101)]) == 95.0
    assert p95([3.0]) == 3.0
    assert p95([1.0] * 18 + [7.0, 9.0]) == 7.0


@pytest.fixture(scope="module")
def contexts(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    folder: Path = tmp_path_factory.mktemp("fleet")
    ca = pki.new_authority("kubernetes")
    pair = pki.new_leaf(ca, Leaf("kube-apiserver", addresses=("127.0.0.1",), server=True))
    (folder / "crt").write_text(pair.certificate)
    (folder / "key").write_text(pair.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "crt", folder / "key")
    client = ssl.create_default_context(cadata=ca.certificate)
    return server, client


async def asked(port: int, client: ssl.SSLContext, patience: float) -> bytes:
    """The first line that the port answers to /readyz; TimeoutError when there is none."""
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        try:
            writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
            return await reader.readline()
        finally:
            writer.transport.abort()


@pytest.mark.parametrize(("number", "way"), [(0, SILENT), (1, DEAF), (2, DROPS)])
async def test_a_cluster_hangs_in_its_way_and_is_healed(contexts, number: int, way: str) -> None:
    assert way_of(number) == way
    server = ApiServer(number, contexts[0], Counter())
    await server.listen()
    port = server.port
    try:
        assert b" 200 " in await asked(port, contexts[1], 20)
        await server.hang()
        with pytest.raises(TimeoutError):
            await asked(port, contexts[1], 0.5)
        if way == DROPS:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await asyncio.open_connection("127.0.0.1", port)
        await server.heal()
        assert server.port == port
        assert b" 200 " in await asked(port, contexts[1], 20)
    finally:
        await server.close()
