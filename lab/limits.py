"""Limits of the machine's kernel that several hosts use up together."""

from pathlib import Path

from lab.errors import Output, silent

# All hosts' processes are the one root of this machine: each systemd, containerd and kubelet takes
# of the same 128 inotify instances, and the sixth kubelet would not start.
AT_LEAST = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 524288,
}


def raise_limits(out: Output = silent, sysctl: Path = Path("/proc/sys")) -> list[str]:
    """Raise what is too low, until the machine's next boot; the names of what was raised.

    A machine that does not allow it keeps its limits, and `out` is told.
    """
    raised: list[str] = []
    for name, wanted in AT_LEAST.items():
        path = sysctl / name
        try:
            before = int(path.read_text())
            if before >= wanted:
                continue
            path.write_text(f"{wanted}\n")
        except (OSError, ValueError) as error:
            out(f"This machine keeps its {name.replace('/', '.')}: {error}")
            continue
        raised.append(name)
        out(f"This machine's {name.replace('/', '.')} is now {wanted}; it was {before}")
    return raised
