"""One host of a lab: its disk, its network, its life and its ends."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import cgroups, modules, network, spawn
from lab.cache import locked
from lab.command import run
from lab.disk import Disk
from lab.errors import LabError, Output, silent
from lab.network import AddressPlan

BOOT_SECONDS = 30.0
POWEROFF_SECONDS = 30.0
SSH_PORT = 22


@dataclass(frozen=True)
class HostStatus:
    """What is true about a host now: checked, not remembered."""

    name: str
    address: str
    state: str  # "running", "partitioned", "booting" (sshd does not answer yet) or "off"
    pid: int | None
    uptime_seconds: float | None
    ssh_host_key: str

    def as_dict(self) -> dict[str, str | int | float | None]:
        """The same as plain values, for JSON."""
        return asdict(self)


class Host:
    """Host `number` of a lab, counted from 1. Every method may be called from any process."""

    def __init__(self, plan: AddressPlan, number: int, lab_folder: Path, base: Path) -> None:
        self.plan = plan
        self.number = number
        self.name = f"node{number}"
        self.address = plan.address(number)
        self.port = SSH_PORT
        self.folder = lab_folder / self.name
        self.disk = Disk(self.folder, base)
        self.group = f"{plan.prefix}/{self.name}"
        self.netns = network.NETNS_FOLDER / plan.namespace(self.name)
        self.console = self.folder / "console.log"
        self._lab_lock = lab_folder.with_name(f"{lab_folder.name}.lock")

    def __repr__(self) -> str:
        return f"<Host {self.name} of the lab {self.plan.name} at {self.address}>"

    @property
    def ssh_host_key(self) -> str:
        """The host's public SSH key as `ssh-ed25519 AAAA...`."""
        return self.disk.ssh_host_key

    @property
    def root(self) -> Path:
        """The host's file system as the machine sees it."""
        return self.disk.root

    @property
    def pid(self) -> int | None:
        """The machine's number for the host's PID 1, None when the host is off."""
        return spawn.init_process(self.group)

    @property
    def partitioned(self) -> bool:
        """Whether the host's cable is pulled out; it stays so over a power cut."""
        return (self.folder / "partitioned").exists()

    # What people do to hosts. Each takes the lab's lock, shared, and the host's own.

    def boot(self, out: Output = silent) -> float:
        """Switch the host on and wait for its sshd; the seconds that took, 0.0 when it ran.

        Raises LabError when it does not come up within BOOT_SECONDS.
        """
        with self._held():
            return self.start(out)

    def power_cut(self, out: Output = silent) -> None:
        """Take the power away: every process dies at once, the network forgets, the disk stays."""
        with self._held():
            self.stop(out)

    def poweroff(self, out: Output = silent, patience: float = POWEROFF_SECONDS) -> None:
        """Shut the host down in order; raises LabError when it takes over `patience` seconds."""
        with self._held():
            if not spawn.power_off(self.group, patience):
                raise LabError(
                    f"Shutting {self.name} down",
                    f"it still runs after {patience:g} s",
                    f"see {self.console} for what it waits for, or cut its power",
                )
            self.stop(out)

    def partition(self, out: Output = silent) -> None:
        """Pull the network cable out: the host runs on and hears nobody."""
        with self._held():
            (self.folder / "partitioned").touch()
            self._set_cable(up=False)
            out(f"{self.name}: cable out")

    def heal(self, out: Output = silent) -> None:
        """Plug the network cable in again."""
        with self._held():
            (self.folder / "partitioned").unlink(missing_ok=True)
            self._set_cable(up=True)
            out(f"{self.name}: cable in")

    def status(self) -> HostStatus:
        """What is true about the host now; takes up to 0.3 s when its sshd does not answer."""
        pid = self.pid
        state = "off"
        if pid is not None and self.partitioned:
            state = "partitioned"
        elif pid is not None:
            state = "running" if self.answers(0.3) else "booting"
        key = self.ssh_host_key if self.disk.exists else ""
        uptime = _age(pid) if pid is not None else None
        return HostStatus(self.name, self.address, state, pid, uptime, key)

    def run(self, script: str, out: Output = silent, timeout: float = 60.0) -> str:
        """Run a shell script as root in the host, past its network and sshd; return its output.

        Raises LabError when the host is off, the script fails, or `timeout` seconds pass.
        """
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        return run(
            ["nsenter", f"--target={self.running_pid()}", *spaces, "/bin/sh", "-c", script],
            out,
            what=f"Running a script in {self.name}",
            mend=f"read its output above, or {self.console}",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"},
            timeout=timeout,
        )

    def running_pid(self) -> int:
        """The machine's number for the host's PID 1; raises LabError when the host is off."""
        pid = self.pid
        if pid is None:
            raise LabError(f"Reaching {self.name}", "it is off", f"`lab boot {self.name}`")
        return pid

    # What the lab does with its own lock held.

    def create(self, keys: Sequence[str]) -> None:
        """Mount the disk, give a new host its identity, and let these SSH keys in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk.mount()
        self.disk.identify(self.name, self.address)
        self.disk.authorize(keys)

    def start(self, out: Output = silent) -> float:
        """Boot without taking locks; see `boot`."""
        if not self.disk.exists:
            raise LabError(f"Booting {self.name}", "it was never made", "run `lab up` first")
        begin = time.monotonic()
        if self.pid is None:
            self.stop(silent)
            self.disk.mount()
            modules.describe(self.root)
            network.connect(self.plan, self.name, self.number, up=not self.partitioned)
            cgroups.create(self.group)
            self.console.write_bytes(b"")
            argv = spawn.command(
                self.root,
                machine=self.plan.namespace(self.name),
                hostname=self.name,
                netns=self.netns,
                bindings=self.disk.bindings(),
                kernel=modules.machine_folder(),
            )
            spawn.start(argv, self.group, self.console)
        elif self.answers(0.3) or self.partitioned:
            return 0.0
        self._wait(begin + BOOT_SECONDS)
        seconds = time.monotonic() - begin
        out(f"{self.name}: up at {self.address} after {seconds:.2f} s")
        return seconds

    def stop(self, out: Output = silent) -> None:
        """Cut the power without taking locks; see `power_cut`. Fine when the host is off."""
        ran = self.pid is not None
        left = spawn.kill(self.group, self.netns)
        if left:
            raise LabError(
                f"Cutting the power of {self.name}",
                f"processes {sorted(left)} do not die",
                "see `cat /proc/PID/stack` for what the kernel waits for",
            )
        network.disconnect(self.plan, self.name, self.number)
        stuck = cgroups.remove(self.group)
        if stuck:
            raise LabError(
                f"Removing the cgroups of {self.name}",
                f"{', '.join(map(str, stuck))} is still busy",
                "see its cgroup.procs, end those processes and try again",
            )
        if ran:
            out(f"{self.name}: off")

    def answers(self, seconds: float) -> bool:
        """Whether sshd greets us within this time."""
        try:
            with socket.create_connection((self.address, self.port), timeout=seconds) as link:
                link.settimeout(seconds)
                return link.recv(4) == b"SSH-"
        except OSError:
            return False

    @contextmanager
    def _held(self) -> Iterator[None]:
        with locked(self._lab_lock, shared=True):
            if not self.disk.exists:
                raise LabError(
                    f"Finding the host {self.name}",
                    f"the lab {self.plan.name} has no such host now",
                    "see `lab status`; `lab up` makes hosts",
                )
            with locked(self.folder / "lock"):
                yield

    def _set_cable(self, *, up: bool) -> None:
        # A host that is off has no cable; `start` looks at `partitioned` and lays it as it must be.
        if self.plan.link(self.number) in network.links():
            network.set_cable(self.plan, self.name, self.number, up=up)

    def _wait(self, deadline: float) -> None:
        """Wait until sshd listens; a host without its cable is asked for sshd's pid file."""
        while time.monotonic() < deadline:
            if self.partitioned:
                if (self.root_of_running() / "run/sshd.pid").exists():
                    return
            elif self.answers(0.2):
                return
            if not cgroups.processes(self.group):
                break
            time.sleep(spawn.POLL_SECONDS)
        died = not cgroups.processes(self.group)
        tail = " | ".join(self.console.read_text(errors="replace").splitlines()[-8:])
        raise LabError(
            f"Booting {self.name}",
            f"{'nspawn ended at once' if died else 'its sshd does not answer'}: {tail}",
            f"read {self.console}; `lab down` and `lab up` make it anew",
        )

    def root_of_running(self) -> Path:
        """The host's root as its own processes see it, with its /run and /tmp."""
        return Path(f"/proc/{self.pid or 0}/root")


def _age(pid: int) -> float | None:
    """How long a process has lived, in seconds."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
    # Field 22 of /proc/PID/stat is the start in ticks (100 in a second) after the machine's boot.
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100, 2)
