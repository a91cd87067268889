"""Proof that nothing of a lab is left on the machine after it was taken down."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, firewall, network
from lab.disk import mounts_below
from lab.network import AddressPlan

NamespaceId = tuple[int, int]
KINDS = ("net", "pid", "mnt", "uts", "ipc", "cgroup")


@dataclass(frozen=True)
class Leftovers:
    """What to look for; made before the lab goes down, while its namespaces can still be named."""

    plan: AddressPlan
    folder: Path
    namespaces: dict[NamespaceId, str]

    @classmethod
    @contextmanager
    def before(cls, plan: AddressPlan, folder: Path) -> Iterator["Leftovers"]:
        """Note every namespace that the lab's hosts live in now.

        They are held open as long as the block lasts: the kernel gives the number of one that is
        gone to the next that is made, and a stranger's would be taken for the lab's.
        """
        known: dict[NamespaceId, str] = {}
        ours = _namespaces("self")
        with ExitStack() as held:
            for name in network.namespaces(plan):
                _hold(network.NETNS_FOLDER / name, name, known, held)
            for pid in cgroups.processes(plan.prefix):
                for identity, kind in _namespaces(str(pid)).items():
                    if identity not in ours and identity not in known:
                        name = f"a {kind} namespace of process {pid}"
                        _hold(Path("/proc", str(pid), "ns", kind), name, known, held)
            yield cls(plan, folder, known)

    def found(self) -> list[str]:
        """One phrase for each thing that is left; empty when the machine is clean."""
        left = [f"mount {point}" for point in mounts_below(self.folder)]
        left += [f"network namespace {name}" for name in network.namespaces(self.plan)]
        left += [f"link {name}" for name in network.lab_links(self.plan)]
        left += firewall.rules(self.plan.bridge)
        left += [f"cgroup {folder}" for folder in cgroups.folders(self.plan.prefix)]
        if self.folder.exists():
            left.append(f"folder {self.folder}")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                reason = self._reason(entry.name)
                if reason:
                    left.append(f"process {entry.name} ({_command(entry.name)}), {reason}")
        return left

    def _reason(self, pid: str) -> str:
        """Why a process belongs to this lab, empty when it does not."""
        try:
            # A zombie is only a line in the process table until its parent reads its exit code.
            if _state(pid) == "Z":
                return ""
            groups = Path("/proc", pid, "cgroup").read_text()
            for line in groups.splitlines():
                if f"{line.split(':', 2)[2]}/".startswith(f"/{self.plan.prefix}/"):
                    return f"in the cgroup {line}"
            for identity in _namespaces(pid):
                if identity in self.namespaces:
                    return f"in {self.namespaces[identity]}"
            # Another mount namespace may still hold what is no longer mounted in ours.
            held = mounts_below(self.folder, pid)
        except OSError:
            return ""
        return f"holds the mount {held[0]}" if held else ""


def _namespaces(pid: str) -> dict[NamespaceId, str]:
    """The namespaces that a process is in, each with its kind; none when it is gone."""
    found: dict[NamespaceId, str] = {}
    for kind in KINDS:
        try:
            status = Path("/proc", pid, "ns", kind).stat()
        except OSError:
            continue
        found[status.st_dev, status.st_ino] = kind
    return found


def _hold(path: Path, name: str, known: dict[NamespaceId, str], held: ExitStack) -> None:
    """Open a namespace so that its number stays its own, and note it under `name`."""
    try:
        file = held.enter_context(path.open("rb"))
    except OSError:
        return
    status = os.fstat(file.fileno())
    known.setdefault((status.st_dev, status.st_ino), name)


def _state(pid: str) -> str:
    """The state letter of a process, as in /proc/PID/stat."""
    return Path("/proc", pid, "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def _command(pid: str) -> str:
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    return b" ".join(words).decode(errors="replace").strip()[:80] or "no command line"
