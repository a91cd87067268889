"""One real host for the tests of this folder, and a console's rows that reach it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab import Lab, requirements
from provisioning.models import Host, HostState
from tests.factories import HostFactory, SSHCredentialFactory

NAME = os.environ.get("FLOTILLA_INTEGRATION_LAB", "test-one")
SUBNET = os.environ.get("FLOTILLA_INTEGRATION_SUBNET", "10.79.1.0/26")


@pytest.fixture(scope="session")
def one_host_lab() -> Iterator[Lab]:
    lacks = requirements.missing()
    if lacks:
        pytest.skip("the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in lacks))
    Lab(NAME, SUBNET, 1).down()
    lab = Lab(NAME, SUBNET, 1)
    lab.up()
    yield lab
    lab.down()


@pytest.fixture
def host(transactional_db: None, one_host_lab: Lab) -> Host:
    """The row of the lab's host, trusted."""
    real = one_host_lab.host("node1")
    return HostFactory(
        name="node1",
        address=real.address,
        host_key=real.ssh_host_key,
        state=HostState.READY,
        credential=SSHCredentialFactory(private_key=one_host_lab.key_path.read_text()),
    )
