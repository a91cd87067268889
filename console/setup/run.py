"""Start the console: `python -m console.setup.run`, which `make run` calls.

Decides whom to run as, makes the data ready as that user, starts the Procfile's processes and
says where the console answers. The demo of `lab` adds its own process and words to this.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console import environment as env
from console.setup import identity
from console.setup.first_admin import FILE, Password, read_password
from console.setup.supervisor import Program, Supervisor, read_procfile, to_terminal

CHECKOUT = Path(__file__).resolve().parent.parent.parent
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
PYTHON = sys.executable


class StartError(Exception):
    """Why the console cannot start, and what mends it."""


@dataclass
class Start:
    """One start of the console: where, as whom, with what environment, and what to tell."""

    host: str
    port: int
    data: Path
    identity: identity.Identity | None
    environment: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address to type into a browser."""
        name = socket.gethostname() if self.host in WILDCARDS else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"

    def answers(self) -> bool:
        """Whether the web process answers a request."""
        name = "127.0.0.1" if self.host in WILDCARDS else self.host
        connection = http.client.HTTPConnection(name, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": f"localhost:{self.port}"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def prepare() -> Start:
    """Read the environment and decide. Raises StartError."""
    host, port = os.environ.get("HOST", "127.0.0.1"), _port(os.environ.get("PORT", "8000"))
    try:
        who, note = identity.choose(os.environ, CHECKOUT)
    except identity.UnknownUserError as error:
        raise StartError(str(error)) from None
    data = env.path("FLOTILLA_DATA", CHECKOUT / "var").absolute()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "FLOTILLA_DATA": str(data)}
    environment |= {"HOST": host, "PORT": str(port)}
    if host not in LOOPBACK and "FLOTILLA_ALLOWED_HOSTS" not in environment:
        names = [*LOOPBACK[:2], "[::1]", socket.gethostname(), *_addresses(host)]
        environment["FLOTILLA_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(names))
    _check_free(host, port)
    return Start(host, port, data, who, environment, [note] if note else [])


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StartError(f"PORT={text}: a port is a number from 1 to 65535.")
    return int(text)


def _addresses(host: str) -> list[str]:
    """The addresses that people may type when the console listens on `host`."""
    if host not in WILDCARDS:
        return [host]
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False)
    return [f"[{a}]" if ":" in a else a for a in found.stdout.split()]


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"The console cannot listen on {host}:{port} ({error.strerror}). End what uses "
                f"that port, or choose another: make demo PORT={port + 1}"
            ) from None


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the data folder, so that two starts do not share it. Raises StartError.

    The lock ends with the process that holds it, however it ends.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(data / "running.lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(
            f"A console with the data in {data} runs already. Use that one, end it with Ctrl-C "
            "where it was started, or name another folder in FLOTILLA_DATA."
        ) from None
    else:
        yield
    finally:
        os.close(descriptor)


def as_console(start: Start, *arguments: str) -> None:
    """Run a Python module or manage.py command as the console's user. Raises StartError."""
    who = start.identity
    done = subprocess.run(
        [PYTHON, *arguments],
        cwd=CHECKOUT,
        env=who.environment(start.environment) if who else start.environment,
        user=who.uid if who else None,
        group=who.gid if who else None,
        extra_groups=[] if who else None,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise StartError(
            f"{' '.join(arguments)} ended with exit code {done.returncode}, see above."
        )


def make_ready(start: Start) -> None:
    """The database at its newest, a first admin, and the data in its owner's hands."""
    start.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity.give(start.data, start.identity)
    as_console(start, "-m", "console.setup.data")


def console_programs(start: Start, log_folder: Path | None) -> list[Program]:
    """The Procfile's programs, with their output in `log_folder` or on the terminal."""
    return [
        Program(name, command, start.identity, log_folder / f"{name}.log" if log_folder else None)
        for name, command in read_procfile(CHECKOUT / "Procfile").items()
    ]


def sign_in_lines(start: Start) -> list[str]:
    """Address, name and password, or where the password went."""
    kind, name, password = read_password(start.data)
    if kind is Password.CHANGED:
        return [
            "",
            "  Sign in with the password that you set. A lost one is set anew by:",
            "  .venv/bin/python manage.py create_admin --reset NAME",
            "",
            f"  Flotilla answers at  {start.address}",
            "",
        ]
    return [
        "",
        f"  The password is kept in {start.data / FILE} until you change it.",
        "",
        f"  Flotilla answers at  {start.address}",
        f"  Sign in as           {name}",
        f"  Password             {password}",
        "",
    ]


def serve(start: Start, programs: Sequence[Program], words: Callable[[], Sequence[str]]) -> None:
    """Run the programs until Ctrl-C; once the console answers say `words`, sign-in last."""

    def ready() -> bool:
        if not start.answers():
            return False
        for line in [*start.notes, *words(), *sign_in_lines(start)]:
            to_terminal(line)
        return True

    Supervisor(programs, CHECKOUT, start.environment).run(ready)


def main() -> int:
    """Run the console without the lab, its output on the terminal."""
    try:
        start = prepare()
        start.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_one(start.data):
            make_ready(start)
            serve(start, console_programs(start, None), lambda: ["", "  Ctrl-C ends the console."])
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
