"""One cgroup for each host in every controller, so that a kubelet in a host sees its own root."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError

MOUNT = Path("/sys/fs/cgroup")
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
MEND = "see /proc/cgroups and `mount -t cgroup,cgroup2`"


def hierarchies(mount: Path = MOUNT) -> list[Path]:
    """The root of every cgroup hierarchy of the machine: one for v2, one for each v1 controller."""
    if (mount / "cgroup.procs").exists():
        return [mount]
    if not mount.is_dir():
        return []
    found = [f for f in mount.iterdir() if f.is_dir() and not f.is_symlink()]
    return sorted(folder for folder in found if (folder / "cgroup.procs").exists())


def create(group: str, mount: Path = MOUNT) -> list[Path]:
    """Make the group `lab/host` in every hierarchy and return the folders; fine when they exist.

    Raises LabError where the machine has no cgroups or does not let us make any.
    """
    what = f"Making the cgroups of {group}"
    roots = hierarchies(mount)
    if not roots:
        raise LabError(what, f"no cgroup hierarchy is mounted at {mount}", MEND)
    folders: list[Path] = []
    try:
        for root in roots:
            folder = root
            for part in group.split("/"):
                parent, folder = folder, folder / part
                folder.mkdir(exist_ok=True)
                _inherit(parent, folder)
            folders.append(folder)
    except OSError as error:
        raise LabError(what, str(error), MEND) from error
    return folders


def _inherit(parent: Path, child: Path) -> None:
    """Hand down what a new group needs before a process may enter it."""
    for name in CPUSET_FILES:
        # In v1 a new cpuset is empty and refuses every process; in v2 empty means all.
        here, above = child / name, parent / name
        if here.exists() and above.exists() and not (parent / "cgroup.controllers").exists():
            value = above.read_text().strip()
            if value and here.read_text().strip() != value:
                here.write_text(value)
    delegated = parent / "cgroup.subtree_control"
    available = parent / "cgroup.controllers"
    if delegated.exists() and available.read_text().strip():
        wanted = [f"+{name}" for name in available.read_text().split()]
        try:
            delegated.write_text(" ".join(wanted))
        except OSError:
            # Some controllers (real-time cpu) refuse; the host then goes without them.
            for one in wanted:
                _try_write(delegated, one)


def _try_write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError:
        return


def folders(group: str, mount: Path = MOUNT) -> list[Path]:
    """The folders of a group that exist now, one for each hierarchy at most."""
    return [root / group for root in hierarchies(mount) if (root / group).is_dir()]


def processes(group: str, mount: Path = MOUNT) -> set[int]:
    """The processes in a group and in all groups below it, in any hierarchy."""
    found: set[int] = set()
    for folder in folders(group, mount):
        for path, _, _ in os.walk(folder):
            try:
                found.update(int(n) for n in (Path(path) / "cgroup.procs").read_text().split())
            except OSError:
                continue
    return found


def remove(group: str, mount: Path = MOUNT, patience: float = 5.0) -> list[Path]:
    """Remove a group and all below it; return the folders that stayed.

    The kernel keeps a group busy for a moment after its last process died, so it is tried again
    for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        for folder in folders(group, mount):
            for path, _, _ in os.walk(folder, topdown=False):
                try:
                    Path(path).rmdir()
                except OSError:
                    continue
        left = folders(group, mount)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def children(group: str, mount: Path = MOUNT) -> list[str]:
    """The names of the groups directly below a group, over all hierarchies."""
    found = {f.name for folder in folders(group, mount) for f in folder.iterdir() if f.is_dir()}
    return sorted(found)


def end(group: str, mount: Path = MOUNT, patience: float = 5.0) -> None:
    """Kill every process in a group and remove it; what would not go is left for others to see."""
    deadline = time.monotonic() + patience
    while (busy := processes(group, mount)) and time.monotonic() < deadline:
        for pid in busy:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    remove(group, mount, patience)
