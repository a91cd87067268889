"""`make run` as on a newcomer's machine: unprivileged, healing, ending cleanly, starting again."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.setup import identity

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

CHECKOUT = Path(__file__).resolve().parents[2]
PROCESSES = {"daphne", "worker", "watcher"}
PATIENCE = 90.0  # for machines that run other tests at the same time


def eventually(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.1)


class Console:
    """One `make run` with a data folder and a port of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.output = data.parent / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("FLOTILLA_")
        }
        environment |= {"FLOTILLA_DATA": str(self.data), "PORT": str(self.port)}
        environment["DJANGO_SETTINGS_MODULE"] = "console.settings"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.setup.run"],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        eventually(self.has_said_where, f"the console answers; it said:\n{self.said()}")

    def has_said_where(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.said()
        return f"Flotilla answers at  http://127.0.0.1:{self.port}/" in self.said()

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def children(self) -> dict[str, int]:
        """Each process of the console by its name."""
        assert self.process is not None
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except (OSError, IndexError):
                continue
            names = PROCESSES.intersection(Path(word).name for word in words[:3])
            if parent == str(self.process.pid) and names:
                found[names.pop()] = int(folder.name)
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def console() -> Iterator[Console]:
    # Not pytest's own folder: that one is closed to the user that the console runs as.
    home = Path(tempfile.mkdtemp(prefix="flotilla-run-"))
    home.chmod(0o755)
    running = Console(home / "var")
    yield running
    if running.process is not None and running.process.poll() is None:
        running.process.kill()
        running.process.wait()
    shutil.rmtree(home)


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_the_console_runs_without_privileges_heals_ends_and_starts_again(console: Console) -> None:
    console.start()
    children = console.children()
    assert set(children) == PROCESSES
    password = console.said().split("Password             ")[1].split()[0]

    if os.geteuid() == 0:
        who, why = identity.choose(os.environ, CHECKOUT)
        if who is not None:
            assert {owner(pid) for pid in children.values()} == {who.uid}
            assert {path.stat().st_uid for path in console.data.rglob("*")} == {who.uid}
        else:
            assert why in console.said()
    assert console.data.stat().st_mode & 0o777 == 0o700
    assert (console.data / "first-admin.json").stat().st_mode & 0o777 == 0o600

    # A second start with the same data is refused, and names the mend.
    second = subprocess.run(
        [sys.executable, "-m", "console.setup.run"],
        cwd=CHECKOUT,
        env={**os.environ, "FLOTILLA_DATA": str(console.data), "PORT": "0" + str(console.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1 and "cannot listen" in second.stderr

    # Each process heals after kill -9, one at a time.
    for name in sorted(PROCESSES):
        before = console.children()
        os.kill(before[name], signal.SIGKILL)
        eventually(
            lambda name=name, before=before: (
                console.children().get(name, before[name])  # type: ignore[misc]
                != before[name]
            ),
            f"{name} starts again",
        )
    eventually(console.healthy, "the console answers again")

    last = console.children()
    assert console.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in last.values())

    console.start()
    assert f"Password             {password}" in console.said()
    assert console.stop() == 0


def test_data_that_is_in_use_is_not_shared(console: Console) -> None:
    console.start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other = free.getsockname()[1]
    second = subprocess.run(
        [sys.executable, "-m", "console.setup.run"],
        cwd=CHECKOUT,
        env={**os.environ, "FLOTILLA_DATA": str(console.data), "PORT": str(other)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"A console with the data in {console.data} runs already" in second.stderr
    assert console.healthy()
    assert console.stop() == 0
