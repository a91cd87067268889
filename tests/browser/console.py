"""A console of its own for browser tests: real database, real server, real static files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 150


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Console:
    """A running console: where it answers, and a way to put rows into it."""

    url: str
    environment: dict[str, str]
    server: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        """Run a module of tests.browser in the console's environment; its output."""
        command = [sys.executable, "-W", "ignore", "-m", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *arguments], cwd=ROOT, env=self.environment
        )

    def start(self) -> None:
        """Start the web process and return once it answers."""
        port = self.url.rsplit(":", 1)[1]
        log = Path(self.environment["FLOTILLA_DATA"]) / "web.log"
        command = ["-m", "daphne", "-b", "127.0.0.1", "-p", port, "console.asgi:application"]
        with log.open("ab") as out:
            self.server = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=out, stderr=out
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/sign-in/", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert self.server.poll() is None, log.read_text()[-3000:]
                time.sleep(0.2)
        raise AssertionError(f"no answer in {START_SECONDS} s: {log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the web process, at once."""
        if self.server is not None:
            self.server.kill()
            self.server.wait(timeout=20)
            self.server = None


def collected() -> bool:
    """Whether staticfiles/ holds what static/ holds now (`make build` sees to it)."""
    manifest = ROOT / "staticfiles" / "staticfiles.json"
    sources = (file.stat().st_mtime for file in (ROOT / "static").rglob("*") if file.is_file())
    return manifest.exists() and manifest.stat().st_mtime >= max(sources)


def make(folder: Path) -> Console:
    """A console with an empty database and static files as pages load them."""
    data = folder / "var"
    data.mkdir(mode=0o700, parents=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLOTILLA_", "DATABASE_"))}
    environment = kept | {
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "FLOTILLA_DATA": str(data),
        "FLOTILLA_LOG_LEVEL": "WARNING",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    console = Console(f"http://127.0.0.1:{free_port()}", environment)
    commands = [["migrate", "-v0"]]
    if not collected():
        environment["FLOTILLA_STATIC_ROOT"] = str(folder / "static")
        commands.append(["collectstatic", "--noinput", "-v0"])
    for words in commands:
        subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *words],
            cwd=ROOT,
            env=environment,
            check=True,
        )
    console.start()
    return console
