"""The host itself: its name, the names of the others, kernel settings, modules, swap, time."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.steps import audit_policy
from provisioning.steps.base import Context, Step
from provisioning.steps.etcd import DATA
from provisioning.steps.layout import (
    KUBELET,
    KUBERNETES,
    PROGRAMS,
    facts_here,
    is_control_plane,
    release_files,
)
from provisioning.steps.resources import (
    Directory,
    File,
    Hostname,
    HostsEntries,
    KernelModule,
    Resource,
    Swap,
    Sysctl,
    Unit,
)

# "Container Runtimes: Forwarding IPv4 and letting iptables see bridged traffic".
NETWORK_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}
# What the kubelet's protectKernelDefaults asks for (CIS 4.2.6), and room for the watches of pods.
# These belong to the kernel as a whole: a host that is itself a container leaves them alone.
KERNEL_SYSCTLS = {
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
    "fs.inotify.max_user_instances": "8192",
    "fs.inotify.max_user_watches": "524288",
}
# Folders that programs fill, with whatever mode they like.
OWNED = (
    "/var/lib/containerd",
    "/var/lib/cni",
    KUBELET,
    "/var/log/pods",
    "/var/log/containers",
)
TIME_UNITS = ("chrony.service", "chronyd.service", "ntp.service", "systemd-timesyncd.service")


class Prepare(Step):
    """Everything that a Linux machine needs before Kubernetes comes near it."""

    id = "prepare"
    title = "Prepare the host"
    timeout = 120

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Name, names of the others, modules, kernel settings, no swap, a clock that is kept."""
        facts = facts_here(ctx)
        modules = ("overlay", "br_netfilter")
        settings = dict(NETWORK_SYSCTLS)
        if not facts.container:
            settings.update(KERNEL_SYSCTLS)
        found: list[Resource] = [
            *self._folders(ctx),
            Hostname(ctx.here.name),
            HostsEntries(tuple((h.address, h.name) for h in ctx.spec.hosts), ctx.spec.id),
            File("/etc/modules-load.d/kubernetes.conf", "".join(f"{m}\n" for m in modules)),
            KernelModule("overlay"),
            KernelModule("br_netfilter", "/proc/sys/net/bridge"),
            File(
                "/etc/sysctl.d/99-kubernetes.conf",
                "".join(f"{name} = {value}\n" for name, value in settings.items()),
            ),
            *(Sysctl(name, value) for name, value in settings.items()),
        ]
        if not facts.container:
            # In a container /proc/swaps shows the machine's swap, which is not ours to turn off.
            found.append(Swap())
        found += self._clock(ctx)
        return found

    @staticmethod
    def _folders(ctx: Context) -> list[Directory]:
        """What is inside these goes with the cluster. Claimed before any program starts, because
        containerd, kubelet and controller manager make some of them by themselves."""
        control_plane = is_control_plane(ctx.spec, ctx.here)
        folders = [
            Directory(KUBERNETES, 0o755, owns=True),
            Directory(PROGRAMS, 0o755, owns=True),
            Directory("/etc/cni", 0o755, owns=True),
            *(Directory(path, None, owns=True) for path in OWNED),
        ]
        if release_files(ctx.spec, "cni"):
            folders.append(Directory("/opt/cni", 0o755, owns=True))
        if control_plane:
            folders.append(Directory(audit_policy.FOLDER, 0o700, owns=True))
            folders.append(Directory(DATA, 0o700, owns=True))
        return folders

    @staticmethod
    def _clock(ctx: Context) -> list[Resource]:
        facts = facts_here(ctx)
        there = [name for name in TIME_UNITS if name in facts.units]
        if facts.container or not there or any(facts.units[name].active for name in there[:-1]):
            return []
        return [Unit(there[0])]
