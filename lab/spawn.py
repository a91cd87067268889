"""Start a host's systemd with systemd-nspawn, find it again, and end it."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import cgroups
from lab.errors import LabError

POWER_OFF = signal.SIGRTMIN + 4  # what systemd as PID 1 takes as "power off"
POLL_SECONDS = 0.02
ENTER_SECONDS = 2.0


def command(
    root: Path,
    *,
    machine: str,
    hostname: str,
    netns: Path,
    bindings: Mapping[Path, str],
    kernel: Path | None = None,
) -> list[str]:
    """The nspawn command line that boots the tree at `root` as a host.

    `bindings` are folders of the machine and where the host sees them; `kernel` is the machine's
    folder of kernel modules, which the host sees at the same path, read-only.
    """
    return [
        "systemd-nspawn",
        "--quiet",
        "--settings=no",
        f"--directory={root}",
        "--boot",
        f"--network-namespace-path={netns}",
        f"--machine={machine}",
        f"--hostname={hostname}",
        "--register=no",
        "--keep-unit",
        "--console=read-only",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        # Nodes run containers of their own, so nothing that a real host may do is taken away.
        "--capability=all",
        "--system-call-filter=@known",
        "--bind=/dev/kmsg",
        *([f"--bind-ro={kernel}"] if kernel else []),
        *(f"--bind={outside}:{inside}" for outside, inside in bindings.items()),
    ]


def start(argv: Sequence[str], group: str, console: Path) -> None:
    """Start nspawn in this cgroup, detached from this process, its console going to a file."""
    # The shell enters the cgroups before it becomes nspawn, so that the host is born in them.
    # `setsid --fork` leaves the parent at once: the lab's commands end, the hosts stay.
    enter = "".join(
        f"echo $$ > {shlex.quote(str(g / 'cgroup.procs'))}\n" for g in cgroups.folders(group)
    )
    script = f"set -e\n{enter}exec {shlex.join(argv)}\n"
    with console.open("ab") as log:
        result = subprocess.run(
            ["setsid", "--fork", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # The kubelet in the host writes /proc/sys and /sys.
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"},
            check=False,
        )
    if result.returncode != 0:
        raise LabError(
            "Starting systemd-nspawn",
            f"setsid ended with code {result.returncode}",
            f"read {console}",
        )
    # From here on "no process in its cgroup" means that it died, not that it is yet to enter.
    deadline = time.monotonic() + ENTER_SECONDS
    while not cgroups.processes(group) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 4)


def namespace_pids(status: str) -> list[int]:
    """The process ids of /proc/PID/status from the outermost PID namespace to the innermost."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return [int(number) for number in line.split()[1:]]
    return []


def init_process(group: str) -> int | None:
    """The machine's number for the PID 1 of the host in this cgroup, None when it is off.

    It is found by its PID namespace: nspawn may be gone while the host goes on without it.
    """
    for pid in cgroups.processes(group):
        try:
            pids = namespace_pids(Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        # Containers within the host have a third number; their PID 1 is not the host's.
        if len(pids) == 2 and pids[-1] == 1:
            return pid
    return None


def network_processes(netns: Path) -> set[int]:
    """All processes in the network namespace that is pinned at this path."""
    try:
        pinned = netns.stat()
    except OSError:
        return set()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            used = (entry / "ns/net").stat()
        except OSError:
            continue
        if (used.st_dev, used.st_ino) == (pinned.st_dev, pinned.st_ino):
            found.add(int(entry.name))
    return found


def kill(group: str, netns: Path, patience: float = 10.0) -> set[int]:
    """End a host as a power cut does and return the processes that would not die.

    The PID 1 goes first, and the kernel ends everything in its PID namespace with it; what is
    left outside (nspawn) follows.
    """
    deadline = time.monotonic() + patience
    while True:
        init = init_process(group)
        if init is not None:
            _signal(init, signal.SIGKILL)
        else:
            for pid in cgroups.processes(group) | network_processes(netns):
                _signal(pid, signal.SIGKILL)
        left = cgroups.processes(group) | network_processes(netns)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(POLL_SECONDS)


def power_off(group: str, patience: float) -> bool:
    """Ask a host's systemd to shut down; whether it did within `patience` seconds."""
    init = init_process(group)
    if init is None:
        return True
    _signal(init, POWER_OFF)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not cgroups.processes(group):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
