"""A scripted API server that the console may reach, for every test of imports."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from tests.unit.clusters.authority import Authority
from tests.unit.clusters.import_server import ImportServer


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[ImportServer]:
    with ImportServer(authority) as running:
        yield running


@pytest.fixture(autouse=True)
def _local_servers(settings) -> None:
    settings.OUTBOUND_ALLOWED = (ip_network("127.0.0.0/8"),)
