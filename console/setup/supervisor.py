"""Keeps the processes of a Procfile running: one that dies is started again.

honcho and foreman stop everything when one process ends. A console whose worker was killed
must go on by itself, so `make run` and `make demo` use this instead; in production systemd or
a container platform does the same. Each process runs in a group of its own, as its own user,
and dies with the supervisor even when that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from console.setup.identity import Identity

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A process that lived this long is well: its next end is met with the first pause again.
WELL_AFTER = 20.0
STOP_PATIENCE = 15.0
PR_SET_PDEATHSIG = 1
# Loaded here: a child between fork and exec must not load libraries.
LIBC = ctypes.CDLL(None)
KEEP_LOG_BYTES = 10_000_000


class ProcfileError(Exception):
    """A Procfile that cannot be read, or a line of it."""


@dataclass(frozen=True)
class Program:
    """What to run: a shell command (`exec` is put before it), as whom, and where output goes.

    identity None: as the supervisor itself. log None: to the terminal, each line after the name.
    """

    name: str
    command: str
    identity: Identity | None = None
    log: Path | None = None


def read_procfile(path: Path) -> dict[str, str]:
    """Name and command of each line `name: command`; comments and blank lines are skipped.

    Raises ProcfileError.
    """
    programs: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not name.strip().isidentifier() or not command.strip():
            raise ProcfileError(f"{path}:{number}: expected `name: command`, found {line!r}")
        programs[name.strip()] = command.strip()
    return programs


def open_log(path: Path) -> int:
    """Open a log file for appending; over 10 MB the old one is put aside first.

    The folder belongs to the console's user and this may be root: a link is not followed.
    """
    if path.exists() and path.lstat().st_size > KEEP_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def last_words(log: Path | None) -> str:
    """The last line of a log file and where it is, for the message that its process has ended."""
    if log is None:
        return ""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return f"; see {log}"
    last = next((line for line in reversed(lines) if line.strip()), "nothing")
    return f"; it last said {last.strip()[:300]!r}, see {log}"


class _Child:
    """One program: its process now, and when it may be started again."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.pause = FIRST_PAUSE
        self.due = 0.0

    def start(
        self, environment: Mapping[str, str], folder: Path, out: Callable[[str], None]
    ) -> None:
        """Start the program. Call it from the main thread only: see _die_with_supervisor."""
        identity = self.program.identity
        log = open_log(self.program.log) if self.program.log else subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self.program.command}"],
                cwd=folder,
                env=identity.environment(environment) if identity else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=identity.uid if identity else None,
                group=identity.gid if identity else None,
                extra_groups=[] if identity else None,
                start_new_session=True,
                preexec_fn=_die_with_supervisor,  # noqa: PLW1509 - one call into libc, no locks
            )
        finally:
            if self.program.log:
                os.close(log)
        self.started = time.monotonic()
        if self.process.stdout:
            name = self.program.name
            threading.Thread(
                target=_copy, args=(self.process.stdout, name, out), daemon=True
            ).start()

    def ended(self) -> int | None:
        """The exit code once, when the process has just ended; None otherwise."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        # What a killed process left in its group would work beside its successor.
        self.signal(signal.SIGKILL)
        self.process = None
        if time.monotonic() - self.started > WELL_AFTER:
            self.pause = FIRST_PAUSE
        self.due = time.monotonic() + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        return code

    def signal(self, number: int) -> None:
        """Send a signal to the process and everything it started in its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def _die_with_supervisor() -> None:
    """In the child, after its user was set: TERM when the thread that started it is gone."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _copy(stream: IO[bytes], name: str, out: Callable[[str], None]) -> None:
    for line in stream:
        out(f"{name:8}| {line.decode('utf-8', 'replace').rstrip()}")


def to_terminal(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Supervisor:
    """Runs programs in `folder` until SIGINT or SIGTERM, or until `stop` is called."""

    def __init__(
        self,
        programs: Sequence[Program],
        folder: Path,
        environment: Mapping[str, str],
        out: Callable[[str], None] = to_terminal,
    ) -> None:
        self.children = [_Child(program) for program in programs]
        self.folder = folder
        self.environment = environment
        self.out = out
        self._wake = threading.Event()

    def stop(self) -> None:
        """Ask the supervisor to end; safe from any thread and from a signal handler."""
        self._wake.set()

    def pids(self) -> dict[str, int]:
        """The process of each program that runs now."""
        return {c.program.name: c.process.pid for c in self.children if c.process is not None}

    def run(self, ready: Callable[[], bool] = lambda: True) -> None:
        """Start everything, then watch over it until asked to stop.

        `ready` is called four times a second until it answers True (to say when the console
        answers).
        """
        previous = {n: signal.signal(n, self._asked) for n in (signal.SIGINT, signal.SIGTERM)}
        told = False
        try:
            while not self._wake.is_set():
                self._look_after()
                told = told or ready()
                self._wake.wait(0.25)
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _look_after(self) -> None:
        for child in self.children:
            code = child.ended()
            if code is not None:
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                wait = child.due - time.monotonic()
                self.out(
                    f"{child.program.name} ended ({how}) and starts again in {wait:.1f} s"
                    f"{last_words(child.program.log)}"
                )
            if child.process is None and time.monotonic() >= child.due:
                child.start(self.environment, self.folder, self.out)

    def _end_all(self) -> None:
        for child in self.children:
            child.signal(signal.SIGTERM)
        end = time.monotonic() + STOP_PATIENCE
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.out(f"{child.program.name} did not end in {STOP_PATIENCE:.0f} s: killed")
            # What the process left behind in its group goes with it.
            child.signal(signal.SIGKILL)
            child.process.wait()
