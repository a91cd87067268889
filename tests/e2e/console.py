"""A whole console with its processes, driven only as a user or a script would: over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

CHECKOUT = Path(__file__).resolve().parents[2]
ENDED = ("succeeded", "failed", "error", "canceled")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApiError(AssertionError):
    """An answer of 400 or more: its status and the problem's members."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {json.dumps(body)[:2000]}")
        self.status, self.body = status, body


class Console:
    """web, worker and watcher on a data folder of their own."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("FLOTILLA_")},
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "FLOTILLA_DATA": str(data),
            "FLOTILLA_STATIC_ROOT": str(CHECKOUT / "staticfiles"),
            "PYTHONUNBUFFERED": "1",
            **(
                {"FLOTILLA_CACHE": os.environ["FLOTILLA_CACHE"]}
                if "FLOTILLA_CACHE" in os.environ
                else {}
            ),
            **environment,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.token = ""

    # --- processes

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def spawn(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.data / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=CHECKOUT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        return process

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "console.setup.data"],
            cwd=CHECKOUT, env=self.environment, check=True, capture_output=True,
        )  # fmt: skip
        self.token = self.manage("create_token", "admin", "--name", "tests").splitlines()[-1]
        self.start_web()
        self.start_worker()
        self.spawn("watcher", "manage.py", "watcher")
        wait_for(self._answers, 60, "the console answers")

    def start_web(self) -> None:
        self.spawn(
            "web", "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port),
            "console.asgi:application",
        )  # fmt: skip

    def start_worker(self, name: str = "worker", **environment: str) -> subprocess.Popen[bytes]:
        saved = self.environment
        self.environment = {**saved, **environment}
        try:
            return self.spawn(name, "manage.py", "worker")
        finally:
            self.environment = saved

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        os.killpg(process.pid, number)
        process.wait(30)

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)
        self.processes.clear()

    def log_of(self, name: str) -> str:
        return (self.data / f"{name}.log").read_text(errors="replace")

    def _answers(self) -> bool:
        assert self.processes["web"].poll() is None, self.log_of("web")
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    # --- the API

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Token {self.token if token is None else token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _decoded(answer.headers.get("Content-Type", ""), answer.read())
        except urllib.error.HTTPError as error:
            body = _decoded(error.headers.get("Content-Type", ""), error.read())
            raise ApiError(error.code, body) from None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    # --- what tests do often

    def add_hosts(
        self, hosts: Mapping[str, str], key: str, username: str = "root"
    ) -> dict[str, int]:
        """Add hosts (name to address) with one pasted key, trust what they show, check them."""
        credential = self.post(
            "credentials/", {"name": f"key-{username}", "username": username, "private_key": key}
        )
        lines = "\n".join(f"{username}@{address}:22 {name}" for name, address in hosts.items())
        added = self.post("hosts/bulk/", {"hosts": lines, "credential": credential["id"]})
        self.wait(added["task"]["id"])
        ids = {h["name"]: h["id"] for h in added["hosts"]}
        for number in ids.values():
            host = self.get(f"hosts/{number}/")
            answer = self.post(
                f"hosts/{number}/trust/", {"fingerprint": host["offered_fingerprint"]}
            )
            if answer.get("task"):
                self.wait(answer["task"]["id"])
        for number in ids.values():
            assert self.get(f"hosts/{number}/")["state"] == "ready"
        return ids

    def create(self, name: str, control_plane: list[int], workers: list[int], **more: Any) -> Any:
        return self.post(
            "clusters/",
            {
                "name": name,
                "profile": "lightweight",
                "release": "v1.20.2",
                "control_plane": control_plane,
                "workers": workers,
                **more,
            },
        )

    def task(self, number: int) -> Any:
        return self.get(f"tasks/{number}/")

    def wait(self, number: int, seconds: float = 300, status: str = "succeeded") -> Any:
        """Wait until a task has ended as it should; shows its failure and log otherwise."""
        wait_for(lambda: self.task(number)["status"] in ENDED, seconds, f"task {number} ends",
                 lambda: self.tail(number))  # fmt: skip
        task = self.task(number)
        assert task["status"] == status, (task["failure"], self.tail(number))
        return task

    def wait_ended(self, number: int, seconds: float = 300) -> Any:
        """Wait until a task has ended, however it did."""
        wait_for(lambda: self.task(number)["status"] in ENDED, seconds, f"task {number} ends",
                 lambda: self.tail(number))  # fmt: skip
        return self.task(number)

    def tail(self, number: int, lines: int = 40) -> str:
        answer = self.get(f"tasks/{number}/log/?before=1000000000&limit={lines}")
        return "\n".join(f"{x['host']:8} {x['step']:14} {x['text']}" for x in answer["lines"])

    def lines(self, number: int) -> list[dict[str, Any]]:
        """Every line of a task's log, by pages."""
        lines: list[dict[str, Any]] = []
        while True:
            page = self.get(f"tasks/{number}/log/?after={len(lines)}&limit=5000")["lines"]
            if not page:
                return lines
            lines += page

    def delete_cluster(self, number: int, seconds: float = 180) -> Any:
        return self.wait(self.delete(f"clusters/{number}/")["task"]["id"], seconds)


def _decoded(content_type: str, data: bytes) -> Any:
    if "json" in content_type:
        return json.loads(data)
    return data.decode()


T = TypeVar("T")


def wait_for(
    condition: Callable[[], T],
    seconds: float,
    what: str,
    explain: Callable[[], str] = lambda: "",
) -> T:
    """What condition answered once it held; asserts that it does within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{explain()}"
        time.sleep(0.1)
    return found
