"""Run one command of the machine, with its output live and its failure told."""

import os
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError, Output, silent

TAIL_LINES = 12

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
        )
    except FileNotFoundError as error:
        raise LabError(what, f"the program {argv[0]} is not on this machine", mend) from error
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(timeout, expire) if timeout is not None else None
    if timer is not None:
        timer.start()
    lines: list[str] = []
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        for raw in process.stdout or ():
            line = raw.rstrip("\n")
            lines.append(line)
            if line.strip():
                tail.append(line.strip())
            out(line)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        if timer is not None:
            timer.cancel()
    if expired.is_set():
        raise LabError(what, f"`{argv[0]}` was not done after {timeout:g} s", mend)
    if code != 0:
        said = " | ".join(tail) or "it said nothing"
        raise LabError(what, f"`{' '.join(argv[:6])}` ended with code {code}: {said}", mend)
    return "\n".join(lines)
