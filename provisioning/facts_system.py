"""Facts about the machine itself: one small class each, a snippet and its parser.

A snippet prints plain lines (POSIX sh, read-only); parse() gets those lines and
returns fields of `Facts`. A parser takes any text at all: what it cannot read
it leaves out, so that the field keeps its "not known" value.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

Fields = dict[str, object]
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
_MAX_TEXT = 512  # characters of one value; longer ones are cut
CAP_SYS_RESOURCE = 24  # its bit number, capabilities(7)


def clean(text: str) -> str:
    """One value of a host, safe to store and show: no control characters, not too long."""
    return "".join(c for c in text.strip()[:_MAX_TEXT] if c.isprintable())


def number(text: str) -> int | None:
    """A decimal number of at most 18 digits, or None."""
    text = text.strip()
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


class FactClass(ABC):
    """One concern: `name` marks its section in the output, `snippet` prints it."""

    name: ClassVar[str]
    snippet: ClassVar[str]

    @abstractmethod
    def parse(self, lines: Sequence[str]) -> Fields:
        """The fields of Facts that these lines tell."""


@dataclass(frozen=True)
class Disk:
    """A folder's file system: where it is mounted, its size and what is free (bytes)."""

    path: str
    mount: str
    size: int
    free: int


class OsRelease(FactClass):
    """The distribution."""

    name = "os"
    snippet = "cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release"

    def parse(self, lines: Sequence[str]) -> Fields:
        """os_id, os_version, os_pretty."""
        found: dict[str, str] = {}
        for line in lines:
            key, sep, value = line.partition("=")
            if sep:
                found[key] = clean(value.strip().strip("\"'"))
        return {
            "os_id": found.get("ID", ""),
            "os_version": found.get("VERSION_ID", ""),
            "os_pretty": found.get("PRETTY_NAME", ""),
        }


class Machine(FactClass):
    """Kernel, processor, identity: `key value` lines."""

    name = "machine"
    snippet = """echo "kernel $(uname -r)"
echo "arch $(uname -m)"
echo "cpus $(nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
echo "hostname $(cat /proc/sys/kernel/hostname)"
echo "machine-id $(cat /etc/machine-id 2>/dev/null)"
echo "uid $(id -u)"
echo "init $(cat /proc/1/comm)"
echo "virtualisation $(systemd-detect-virt --vm 2>/dev/null)"
echo "container $(systemd-detect-virt --container 2>/dev/null ||
  tr '\\0' '\\n' </proc/1/environ 2>/dev/null | sed -n 's/^container=//p')"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo "cgroup 2"; else echo "cgroup 1"; fi
sed -n 's/^CapEff:/capabilities/p' /proc/self/status"""

    def parse(self, lines: Sequence[str]) -> Fields:
        """Kernel, arch, cpus, names, init, virtualisation, cgroup, capability."""
        found = {
            key: clean(value)
            for key, _, value in (x.replace("\t", " ").partition(" ") for x in lines)
        }
        arch = found.get("arch", "")
        capabilities = found.get("capabilities", "")
        mask = int(capabilities, 16) if re.fullmatch(r"[0-9a-fA-F]{1,16}", capabilities) else None
        none = {"none", ""}
        return {
            "kernel": found.get("kernel", ""),
            "arch": ARCHITECTURES.get(arch, arch),
            "cpus": number(found.get("cpus", "")) or 0,
            "hostname": found.get("hostname", ""),
            "machine_id": found.get("machine-id", ""),
            "root": found.get("uid") == "0",
            "init": found.get("init", ""),
            "virtualisation": ""
            if found.get("virtualisation", "") in none
            else found["virtualisation"],
            "container": "" if found.get("container", "") in none else found["container"],
            "cgroup": number(found.get("cgroup", "")) or 0,
            "cap_sys_resource": True if mask is None else bool(mask >> CAP_SYS_RESOURCE & 1),
        }


class Clock(FactClass):
    """The time in seconds since 1970, with its fraction."""

    name = "clock"
    snippet = "date +%s.%N"

    def parse(self, lines: Sequence[str]) -> Fields:
        """epoch; nothing when the line is no time."""
        text = lines[0].strip() if lines else ""
        return {"epoch": float(text)} if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text) else {}


class Memory(FactClass):
    """Memory and swap."""

    name = "memory"
    snippet = (
        "grep -E '^(MemTotal|MemAvailable):' /proc/meminfo; echo 'Swaps:'; tail -n +2 /proc/swaps"
    )

    def parse(self, lines: Sequence[str]) -> Fields:
        """memory, memory_free (bytes) and swap (devices)."""
        fields: Fields = {}
        swaps: list[str] = []
        in_swaps = False
        for line in lines:
            words = line.split()
            if words == ["Swaps:"]:
                in_swaps = True
            elif in_swaps and words:
                swaps.append(clean(words[0]))
            elif len(words) >= 2 and words[0] in ("MemTotal:", "MemAvailable:"):
                kib = number(words[1])
                name = "memory" if words[0] == "MemTotal:" else "memory_free"
                if kib is not None:
                    fields[name] = kib * 1024
        fields["swap"] = tuple(swaps)
        return fields


class Disks(FactClass):
    """The file systems that a cluster fills."""

    name = "disks"
    snippet = (
        "df -k --output=file,source,size,used,avail,pcent,target"
        " / /var /opt /etc /var/lib/containerd /var/lib/kubelet /var/lib/etcd 2>/dev/null"
        " | tail -n +2"
    )

    def parse(self, lines: Sequence[str]) -> Fields:
        """disks, in bytes."""
        disks = []
        for line in lines:
            words = line.split()
            if len(words) < 7:
                continue
            size, free = number(words[2]), number(words[4])
            if size is not None and free is not None:
                disks.append(
                    Disk(clean(words[0]), clean(" ".join(words[6:])), size * 1024, free * 1024)
                )
        return {"disks": tuple(disks)}


class Kernel(FactClass):
    """Loaded or built-in modules that matter, and the kernel settings that recipes manage."""

    name = "kernel"
    modules = ("br_netfilter", "overlay", "nf_conntrack", "ip_vs", "ip_tables", "nf_tables")
    sysctls = (
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.bridge.bridge-nf-call-iptables",
        "net.bridge.bridge-nf-call-ip6tables",
        "net.netfilter.nf_conntrack_max",
        "vm.overcommit_memory",
        "vm.panic_on_oom",
        "kernel.panic",
        "kernel.panic_on_oops",
        "kernel.keys.root_maxkeys",
        "kernel.keys.root_maxbytes",
        "fs.inotify.max_user_instances",
        "fs.inotify.max_user_watches",
        "net.ipv4.conf.all.rp_filter",
    )
    snippet = (
        f'for m in {" ".join(modules)}; do [ -e /sys/module/$m ] && echo "module $m"; done\n'
        "[ -e /proc/sys/net/bridge ] && echo 'module br_netfilter'\n"
        "grep -qw overlay /proc/filesystems && echo 'module overlay'\n"
        # grep, not the shell's read: these files cannot be read byte by byte.
        f"cd /proc/sys && grep -Hs . {' '.join(sysctls).replace('.', '/')} | sed 's/^/sysctl /'"
    )

    def parse(self, lines: Sequence[str]) -> Fields:
        """modules and sysctls."""
        modules: set[str] = set()
        sysctls: dict[str, str] = {}
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "module":
                modules.add(clean(rest))
            elif kind == "sysctl":
                name, _, value = rest.partition(":")
                sysctls[clean(name.replace("/", "."))] = " ".join(
                    clean(value.replace("\t", " ")).split()
                )
        return {"modules": tuple(sorted(modules)), "sysctls": sysctls}


class Packages(FactClass):
    """Installed packages that matter, with their versions (dpkg or rpm)."""

    name = "packages"
    wanted = (
        "containerd containerd.io docker.io docker-ce docker-engine runc cri-o"
        " containernetworking-plugins kubernetes-cni etcd etcd-server etcd-client haproxy"
        " keepalived iptables nftables conntrack conntrack-tools socat ethtool ipset kubeadm"
        " kubelet kubectl systemd chrony systemd-timesyncd ntp"
    )
    snippet = (
        "if command -v dpkg-query >/dev/null; then\n"
        "dpkg-query -W -f='${db:Status-Status} ${Package} ${Version}\\n' "
        f"{wanted} 2>/dev/null\n"
        "elif command -v rpm >/dev/null; then\n"
        f"rpm -q --qf 'installed %{{NAME}} %{{VERSION}}-%{{RELEASE}}\\n' {wanted} 2>/dev/null; fi"
    )

    def parse(self, lines: Sequence[str]) -> Fields:
        """packages: version by name."""
        found = {}
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == "installed":
                found[clean(words[1])] = clean(words[2])
        return {"packages": found}
