"""What this machine must have to run a lab, and how to get what it lacks."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups
from lab.command import run
from lab.errors import LabError, Output, silent


@dataclass(frozen=True)
class Missing:
    """One thing that is missing: what, what it is needed for, and how to get it."""

    what: str
    why: str
    how: str
    package: str = ""  # the Debian package that brings it, empty where apt cannot help


@dataclass(frozen=True)
class _Program:
    name: str
    package: str
    why: str


PROGRAMS = (
    _Program("systemd-nspawn", "systemd-container", "it boots the hosts"),
    _Program("debootstrap", "debootstrap", "it makes the hosts' Debian"),
    _Program("ip", "iproute2", "it makes the bridge and the hosts' cables"),
    _Program("ssh-keygen", "openssh-client", "it makes the hosts' SSH keys"),
    _Program("mount", "mount", "it mounts the hosts' disks"),
    _Program("nsenter", "util-linux", "it reaches into a host past its network"),
    _Program("unshare", "util-linux", "it keeps the building of the base tree apart"),
    _Program("setpriv", "util-linux", "it ends a build with the console that started it"),
    _Program("setsid", "util-linux", "it lets hosts outlive the command that booted them"),
)
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
ANOTHER_KERNEL = "use a machine whose kernel has {}; on a cut-down one, `modprobe {}` may load it"


def missing() -> list[Missing]:
    """What is missing here, the most basic first; empty when a lab can run."""
    found: list[Missing] = []
    if platform.system() != "Linux":
        how = "use a Linux machine or VM, best Debian 12 or later"
        return [Missing("Linux", "the hosts share this machine's kernel", how)]
    if os.geteuid() != 0:
        found.append(
            Missing("root", "it mounts disks and makes networks", "run the same command with sudo")
        )
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    for program in PROGRAMS:
        if shutil.which(program.name, path=path) is None:
            how = f"apt-get install {program.package}"
            found.append(Missing(program.name, program.why, how, program.package))
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        package = "debian-archive-keyring"
        found.append(
            Missing(package, "it proves Debian's packages", f"apt-get install {package}", package)
        )
    return found + _missing_in_kernel()


def _missing_in_kernel() -> list[Missing]:
    """What the kernel lacks, as far as it can be told without changing the machine."""
    found: list[Missing] = []
    systems = Path("/proc/filesystems").read_text().split()
    if "overlay" not in systems and not _module("overlay"):
        how = ANOTHER_KERNEL.format("overlayfs", "overlay")
        found.append(Missing("overlayfs", "the hosts' disks are overlays", how))
    for kind in ("net", "pid", "mnt", "uts", "ipc", "cgroup"):
        if not Path("/proc/self/ns", kind).exists():
            how = f"use a machine whose kernel has {kind} namespaces"
            found.append(Missing(f"{kind} namespaces", "hosts are apart by them", how))
    for module, sign in (("bridge", "/sys/class/net"), ("veth", "/sys/class/net")):
        if not Path(sign).is_dir():
            how = ANOTHER_KERNEL.format(module, module)
            found.append(Missing(module, "hosts are cabled with it", how))
    if not cgroups.hierarchies():
        how = "mount them, for example with the package cgroupfs-mount"
        found.append(Missing("cgroups", "each host has its own", how, "cgroupfs-mount"))
    return found


def _module(name: str) -> bool:
    """Whether the kernel can load a module of this name."""
    release = Path("/lib/modules", platform.release())
    return any(release.rglob(f"{name}.ko*")) if release.is_dir() else False


def demand() -> None:
    """Raise a LabError that lists everything that is missing, or return."""
    lacks = missing()
    if not lacks:
        return
    raise LabError(
        "Running a lab on this machine",
        "; ".join(f"{lack.what} is missing ({lack.why})" for lack in lacks),
        "; ".join(dict.fromkeys(lack.how for lack in lacks)),
    )


def install(out: Output = silent) -> list[Missing]:
    """Install what apt can install, and return what is missing still.

    Raises LabError when apt fails; does nothing without root.
    """
    packages = sorted({lack.package for lack in missing() if lack.package})
    if packages and os.geteuid() == 0:
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        what = f"Installing {', '.join(packages)}"
        mend = "see its output above; `apt-get update` and the machine's apt sources must work"
        run(["apt-get", "-q", "update"], out, what=what, mend=mend, env=environment)
        command = ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages]
        run(command, out, what=what, mend=mend, env=environment)
    return missing()
