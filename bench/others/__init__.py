"""What the console's engine is measured against, each with its fastest honest settings."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from lab.cache import cache_root

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE.parent / "requirements.txt"


def environment(requirements: Path = REQUIREMENTS) -> Path:
    """A virtual environment of the bench's own, made when missing or out of date; its bin folder.

    Raises CalledProcessError when the packages cannot be had.
    """
    stamp = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache_root() / "bench" / f"venv-{stamp}"
    done = folder / "complete"
    if not done.exists():
        print(f"Installing {requirements.name} into an environment of its own", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q"]
        quiet = "--disable-pip-version-check"
        subprocess.run([*pip, quiet, "-r", str(requirements)], check=True)
        done.touch()
    return folder / "bin"


@dataclass(frozen=True)
class Spent:
    """What a command took: wall time, and the processor time of it and its children."""

    wall: float
    cpu: float


def timed(command: list[str], **environ: str) -> Spent:
    """Run a command to its end. Raises RuntimeError with its last lines when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(wall, cpu)


class Ansible:
    """ansible-playbook with pipelining, kept connections, all hosts at once and no facts."""

    folder = "/etc/bench-ansible"

    def __init__(self, lab: Lab, bin_folder: Path, scratch: Path, known: Path) -> None:
        self.program = str(bin_folder / "ansible-playbook")
        self.inventory = scratch / "inventory.ini"
        self.sockets = {host.address: scratch / f"cm-{host.address}" for host in lab.hosts}
        names = "\n".join(host.address for host in lab.hosts)
        self.inventory.write_text(
            f"[all]\n{names}\n[all:vars]\nansible_user=root\n"
            f"ansible_ssh_private_key_file={lab.key_path}\n"
            f"ansible_ssh_common_args=-o UserKnownHostsFile={known} -o IdentitiesOnly=yes "
            f"-o ControlPath={scratch}/cm-%h\n"
        )
        self.environ = {
            "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(scratch / "ansible"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, content: str) -> Spent:
        """Make the files have this content."""
        arguments = ["-i", str(self.inventory), "-e", f"content={content}"]
        return timed([self.program, *arguments, str(HERE / "playbook.yml")], **self.environ)

    def close(self) -> None:
        """End the kept connections."""
        for address, socket in self.sockets.items():
            command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", address]
            subprocess.run(command, capture_output=True, check=False)


class Pyinfra:
    """pyinfra without its waits between operations."""

    folder = "/etc/bench-pyinfra"

    def __init__(self, lab: Lab, bin_folder: Path, scratch: Path, known: Path) -> None:
        self.program = str(bin_folder / "pyinfra")
        self.inventory = scratch / "inventory.py"
        options = {
            "ssh_user": "root",
            "ssh_key": str(lab.key_path),
            "ssh_known_hosts_file": str(known),
        }
        hosts = [(host.address, options) for host in lab.hosts]
        self.inventory.write_text(f"hosts = {hosts!r}\n")

    def run(self, content: str) -> Spent:
        """Make the files have this content."""
        command = [self.program, "-y", "--no-wait", str(self.inventory), str(HERE / "deploy.py")]
        return timed(command, BENCH_CONTENT=content)
