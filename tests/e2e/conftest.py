"""Real hosts and a real console for the tests of this folder, made once and shared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, kubernetes, requirements
from tests.e2e.console import Console
from tests.e2e.pods import IMAGE
from tests.e2e.standard import Kubectl

# Two runs at the same time need a lab each.
NAME = os.environ.get("FLOTILLA_E2E_LAB", "test-e2e")
SUBNET = os.environ.get("FLOTILLA_E2E_SUBNET", "10.78.0.0/24")
HOSTS = 4
# Who runs one test again and again names a folder: lab and console's data stay as they are.
KEPT = os.environ.get("FLOTILLA_E2E_KEEP")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    lacks = requirements.missing()
    if lacks:
        pytest.skip("the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in lacks))
    if not KEPT:
        Lab(NAME, SUBNET, HOSTS).down()
    lab = Lab(NAME, SUBNET, HOSTS)
    lab.up()
    yield lab
    if not KEPT:
        lab.down()


@pytest.fixture(scope="session")
def binaries() -> Path:
    """A folder with Kubernetes binaries: found, or built from the distribution's source."""
    return kubernetes.ensure(kubernetes.DEFAULT_VERSION, print).folder


@pytest.fixture(scope="session")
def bare_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that knows no host and no release."""
    data = Path(KEPT or tmp_path_factory.mktemp("console")) / "var"
    console = Console(data, FLOTILLA_TASK_LEASE_SECONDS="6", FLOTILLA_PROBE_IMAGE=IMAGE)
    console.start()
    yield console
    console.stop()
    if folder := os.environ.get("FLOTILLA_KEEP_TEST_LOGS"):
        for log in data.glob("*.log"):
            shutil.copy(log, folder)


@pytest.fixture(scope="session")
def console(bare_console: Console, lab: Lab, binaries: Path) -> Console:
    """A console with the lab's hosts, trusted and checked, and a release."""
    if not bare_console.get("releases/")["results"]:
        bare_console.manage("release", "import", str(binaries))
    if not bare_console.get("hosts/")["results"]:
        key = lab.key_path.read_text()
        bare_console.add_hosts({h.name: h.address for h in lab.hosts}, key)
    return bare_console


@pytest.fixture(autouse=True, scope="module")
def _every_host_is_back(request: pytest.FixtureRequest) -> None:
    """A module begins with hosts that have power, are ready to the console and carry no cluster's
    remains: one that was away while its cluster was deleted is cleaned up."""
    if "console" not in request.fixturenames or "bare_console" not in request.fixturenames:
        return  # a console of the module's own, or one that knows no host
    lab: Lab = request.getfixturevalue("lab")
    console: Console = request.getfixturevalue("console")
    for machine in lab.hosts:
        if machine.pid is None:
            machine.boot()
        machine.heal()
    for row in console.get("hosts/")["results"]:
        if row["state"] == "unreachable":
            console.wait(console.post(f"hosts/{row['id']}/check/")["id"])
        if row["cleanups"]:
            console.wait(console.post(f"hosts/{row['id']}/clean-up/")["id"])


@pytest.fixture(scope="module")
def kubectl(
    console: Console, cluster: int, binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """kubectl for the cluster of a module that has one, by its number."""
    return Kubectl(console, cluster, binaries, tmp_path_factory.mktemp("kube"))


@pytest.fixture
def hosts(console: Console) -> dict[str, int]:
    """Host names to numbers; each test leaves them without a cluster."""
    return {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
