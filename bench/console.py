"""A scratch console: data of its own, the real processes, rows of the bench's hosts."""

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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.models import Host, Task

CHECKOUT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")


class Console:
    """The console with a data folder that goes away afterwards. Use it as a context manager.

    Only one for each process: Django's settings are read once.
    """

    def __init__(self) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="flotilla-bench-"))
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "FLOTILLA_DATA": str(self.data),
            "DJANGO_SETTINGS_MODULE": "bench.settings",
            "PYTHONUNBUFFERED": "1",
            # Imported clusters of a bench are on this machine.
            "FLOTILLA_OUTBOUND_ALLOWED": "127.0.0.0/8",
        }

    def __enter__(self) -> Console:
        os.environ.update(self.environment)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop_all()
        from django.db import connections

        connections.close_all()
        shutil.rmtree(self.data, ignore_errors=True)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process of the console; what it says goes to a file in its data folder."""
        with (self.data / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The process that runs tasks, ready to take them."""
        process = self.start("worker", "manage.py", "worker", *arguments)
        self._until(lambda: "takes tasks" in self.said("worker"), process, "worker")
        return process

    def web(self, application: str = "console.asgi:application") -> subprocess.Popen[bytes]:
        """The web process (daphne, as the Procfile starts it), answering."""
        process = self.start(
            "web", "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port),
            "--application-close-timeout", "5", application,
        )  # fmt: skip
        self._until(self.answers, process, "web")
        return process

    def said(self, name: str) -> str:
        """What a process has printed so far."""
        return (self.data / f"{name}.log").read_text(errors="replace")

    def answers(self) -> bool:
        """Whether the web process answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that start() began, kindly and then not."""
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._processes.remove(process)

    def stop_all(self) -> None:
        """End everything that start() began."""
        for process in list(self._processes):
            self.stop(process)

    def cookie(self) -> str:
        """A session cookie of a signed-in auditor, as a browser sends it."""
        from django.conf import settings
        from django.test import Client

        from console.accounts import sessions
        from console.accounts.models import Role, User

        user, _made = User.objects.get_or_create(
            username="bench", defaults={"role": Role.AUDITOR, "password": "!"}
        )
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        session = client.session
        sessions.start(session)
        session.save()
        return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"

    def _until(self, true: object, process: subprocess.Popen[bytes], name: str) -> None:
        deadline = time.monotonic() + 60
        while not true():  # type: ignore[operator]
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the {name} process does not start:\n{self.said(name)[-3000:]}")
            time.sleep(0.05)


def register_hosts(machines: Sequence[object], key: str) -> list[Host]:
    """Rows of the lab's hosts, trusted, with the lab's own key as their credential."""
    from provisioning.models import Host, HostState, SSHCredential

    credential, _ = SSHCredential.objects.update_or_create(
        name="bench", defaults={"kind": "ed25519", "private_key": key, "username": "root"}
    )
    rows = []
    for machine in machines:
        row, _ = Host.objects.update_or_create(
            name=machine.name,  # type: ignore[attr-defined]
            defaults={
                "address": machine.address,  # type: ignore[attr-defined]
                "credential": credential,
                "host_key": machine.ssh_host_key,  # type: ignore[attr-defined]
                "state": HostState.READY,
                "is_lab": True,
            },
        )
        rows.append(row)
    return rows


def wait_for(task: Task, patience: float = 600, every: float = 0.02) -> Task:
    """The task once it has ended. Raises RuntimeError when it failed or takes too long."""
    from provisioning.models import TaskStatus

    deadline = time.monotonic() + patience
    while not task.is_ended:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{task.title} has not ended after {patience:.0f} s")
        time.sleep(every)
        task.refresh_from_db()
    if task.status != TaskStatus.SUCCEEDED:
        raise RuntimeError(f"{task.title}: {task.status}: {task.failure}")
    return task


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
