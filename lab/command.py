"""Run one command of the machine, with its output live and its failure told."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import LabError, Output, silent

TAIL_LINES = 12
GRACE_SECONDS = 3.0

# Put before a long build: when this process is killed, the build's processes (a PID namespace of
# their own) and its mounts (a mount namespace of their own) are gone with it. Needs root.
CONFINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


def run(
    argv: Sequence[str],
    out: Output = silent,
    *,
    what: str,
    mend: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run `argv`, give each line of its output to `out`, and return the whole output.

    Standard error is mixed in. `env` is added to this process's environment and `timeout` is in
    seconds, after which the command is killed. Raises LabError when the program is missing, takes
    too long or ends with a code other than 0; the last lines of its output are the cause.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            # A group of its own, so that ending it also ends what it started in turn.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise LabError(what, f"the program {argv[0]} is not on this machine", mend) from error
    with _time_limit(process, timeout) as expired:
        lines = _read(process, out)
    if expired.is_set():
        raise LabError(what, f"`{argv[0]}` was not done after {timeout:g} s", mend)
    if process.returncode != 0:
        tail = [line.strip() for line in lines if line.strip()][-TAIL_LINES:]
        said = " | ".join(tail) or "it said nothing"
        raise LabError(
            what, f"`{' '.join(argv[:6])}` ended with code {process.returncode}: {said}", mend
        )
    return "\n".join(lines)


@contextmanager
def _time_limit(process: subprocess.Popen[str], seconds: float | None) -> Iterator[threading.Event]:
    """Kill the process when the block takes longer; the event tells whether it did."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _end(process)

    timer = threading.Timer(seconds, expire) if seconds is not None else None
    if timer is not None:
        timer.start()
    try:
        yield expired
    finally:
        if timer is not None:
            timer.cancel()


def _read(process: subprocess.Popen[str], out: Output) -> list[str]:
    """Pass each line on as it comes, until the process ended; it never outlives this call."""
    lines: list[str] = []
    try:
        for raw in process.stdout or ():
            lines.append(raw.rstrip("\n"))
            out(lines[-1])
        process.wait()
    except BaseException:
        _end(process)
        raise
    return lines


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and all of its group: first kindly, for dpkg's sake, then surely."""
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
