"""Everything that must be right before a host is touched. Pure: facts in, problems out.

What only the connection itself can tell (unreachable, changed key, no sudo) is
the engine's; what is asked of the network (does a VIP answer) comes with the
recipe that has one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from provisioning import shell, versions
from provisioning.facts import Facts
from provisioning.preflight_networks import networks
from provisioning.preflight_vip import vip_problems
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Problem
from provisioning.steps.haproxy import ALIVE_PORT, ENTRY_PORT, STATUS_PORT
from provisioning.steps.layout import is_control_plane
from provisioning.texts import gettext as _

MAX_SKEW = 30.0  # seconds: beyond it certificates, leases and logs stop making sense
MIB = 1024 * 1024


@dataclass(frozen=True)
class Need:
    """What a host must have: processors, memory and free disk (MiB)."""

    cpus: int
    memory: int
    disk: int


# Memory as /proc/meminfo shows it, which is a little less than what was bought.
NEEDS = {
    ("lightweight", "control plane"): Need(1, 900, 2048),
    ("lightweight", "worker"): Need(1, 450, 1024),
    ("standard", "control plane"): Need(2, 1800, 8192),
    ("standard", "worker"): Need(1, 900, 4096),
}
# Ports and who of us may hold them already (names as /proc/<pid>/comm cuts them).
CONTROL_PLANE_PORTS = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    10257: "kube-controller",
    10259: "kube-scheduler",
}
LOAD_BALANCER_PORTS = {ENTRY_PORT: "haproxy", STATUS_PORT: "haproxy", ALIVE_PORT: "haproxy"}
NODE_PORTS = {
    10250: "kubelet",
    10248: "kubelet",
    10249: "kube-proxy",
    10256: "kube-proxy",
}
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")

Check = Callable[[ClusterSpec, HostSpec, Facts], Iterator[Problem]]


def preflight(spec: ClusterSpec, facts: Mapping[int, Facts]) -> list[Problem]:
    """Every reason why this cluster cannot be made of these hosts; empty when there is none.

    facts: by host id, as fresh as can be (with skew). A host that already
    belongs to this very cluster (resume, repair) is no problem.
    """
    problems = list(_cluster(spec))
    for host in spec.hosts:
        known = facts.get(host.id)
        if known is None and host.id in spec.expendable:
            continue
        if known is None:
            problems.append(
                _problem(
                    spec, host, "unknown_host",
                    _("Nothing is known of it yet."), _("Look at it first."),
                )
            )  # fmt: skip
            continue
        for check in CHECKS:
            problems += check(spec, host, known)
    problems += _twins(spec, facts)
    problems += networks(spec, facts)
    if spec.profile == "standard":
        problems += vip_problems(spec, facts)
    return problems


def _problem(spec: ClusterSpec, host: HostSpec, code: str, what: str, mend: str) -> Problem:
    role = "control_plane" if is_control_plane(spec, host) else "workers"
    text = _("%(host)s: %(what)s") % {"host": host.name, "what": what}
    return Problem(code, text, mend, host.id, role)


def _role(spec: ClusterSpec, host: HostSpec) -> str:
    return "control plane" if is_control_plane(spec, host) else "worker"


def _cluster(spec: ClusterSpec) -> Iterator[Problem]:
    try:
        shell.label(spec.name)
    except ValueError:
        yield Problem(
            "bad_name",
            _(
                "The cluster's name %(name)r is not a DNS label (a-z, 0-9 and '-', at most"
                " 63 characters)."
            )
            % {"name": spec.name},
            _("Choose another."),
            field="name",
        )
    yield from _control_planes(spec)
    yield from _release(spec)


def _control_planes(spec: ClusterSpec) -> Iterator[Problem]:
    count = len(spec.control_plane)
    if spec.running:
        return  # what may come and go there is decided before (provisioning.membership)
    if spec.profile == "lightweight" and count != 1:
        yield Problem(
            "control_planes",
            _("A lightweight cluster has exactly one control plane, not %(count)d.")
            % {"count": count},
            _("Choose one host, or the standard type."),
            field="control_plane",
        )
    elif spec.profile == "standard" and (count < 3 or count % 2 == 0):
        yield Problem(
            "control_planes",
            _("%(count)d control planes cannot keep a majority better than one less can.")
            % {"count": count},
            _("Choose 3 or 5."),
            field="control_plane",
        )


def _release(spec: ClusterSpec) -> Iterator[Problem]:
    if not versions.supported(spec.release.version):
        oldest, newest = (".".join(map(str, v)) for v in (versions.OLDEST, versions.NEWEST))
        yield Problem(
            "version",
            _("Kubernetes %(version)s is not one that Flotilla can set up.")
            % {"version": spec.release.version},
            _("Choose a release from %(oldest)s to %(newest)s.")
            % {"oldest": oldest, "newest": newest},
            field="release",
        )
    there = {file.name for file in spec.release.files}
    missing = [p for p in (*PROGRAMS, "kubelet", "kube-proxy") if p not in there]
    if missing:
        yield Problem(
            "release_incomplete",
            _("The release has no %(names)s.") % {"names": ", ".join(missing)},
            _("Choose another release, or fetch this one again."),
            field="release",
        )


def _name(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    try:
        shell.label(host.name)
    except ValueError:
        yield _problem(
            spec, host, "bad_name",
            _("its name %(name)r is not a DNS label (a-z, 0-9 and '-', at most 63 characters).")
            % {"name": host.name},
            _("Rename the host here."),
        )  # fmt: skip


def _system(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    if not facts.root:
        yield _problem(
            spec, host, "no_root", _("commands do not run as root."),
            _("Give its user sudo, or connect as root."),
        )  # fmt: skip
    if facts.arch != spec.release.arch:
        yield _problem(
            spec, host, "architecture",
            _("it is %(arch)s, the release is %(release)s.")
            % {
                "arch": facts.arch or _("of unknown architecture"),
                "release": spec.release.arch,
            },
            _("Choose a release for its architecture, or another host."),
        )  # fmt: skip
    if facts.init != "systemd":
        yield _problem(
            spec, host, "no_systemd",
            _("its init is %(init)s, not systemd.") % {"init": facts.init or _("unknown")},
            _("Choose a host with systemd."),
        )  # fmt: skip
    if abs(facts.skew) > MAX_SKEW:
        ahead, behind = _("its clock is %(time)s ahead."), _("its clock is %(time)s behind.")
        yield _problem(
            spec, host, "clock",
            (ahead if facts.skew > 0 else behind) % {"time": _span(abs(facts.skew))},
            _("Set its clock and keep it with chrony or systemd-timesyncd."),
        )  # fmt: skip


def _span(seconds: float) -> str:
    if seconds < 120:
        return _("%(count).0f s") % {"count": seconds}
    if seconds < 7200:
        return _("%(count).0f min") % {"count": seconds / 60}
    return _("%(count).0f h") % {"count": seconds / 3600}


def _size(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    role = _role(spec, host)
    need = NEEDS[spec.profile, role]
    more = _("Give it more, or choose another host.")
    title = _("control plane") if role == "control plane" else _("worker")
    if facts.cpus < need.cpus:
        yield _problem(
            spec, host, "cpu",
            _("it has %(count)d processors; a %(role)s needs %(need)d.")
            % {"count": facts.cpus, "role": title, "need": need.cpus},
            more,
        )  # fmt: skip
    if facts.memory < need.memory * MIB:
        yield _problem(
            spec, host, "memory",
            _("it has %(memory)d MiB of memory; a %(role)s needs %(need)d MiB.")
            % {"memory": facts.memory // MIB, "role": title, "need": need.memory},
            more,
        )  # fmt: skip
    if spec.id not in facts.clusters:  # what the cluster has taken itself is not missing
        yield from _disk(spec, host, facts, need, title)


def _disk(
    spec: ClusterSpec, host: HostSpec, facts: Facts, need: Need, title: str
) -> Iterator[Problem]:
    programs = sum(f.size for f in spec.release.files) // MIB + 64
    wanted: dict[str, int] = defaultdict(int)
    for path, mib in (("/var", need.disk), ("/opt", programs)):
        disk = facts.disk(path)
        if disk is not None:
            wanted[disk.mount] += mib
    free = {disk.mount: disk.free // MIB for disk in facts.disks}
    for mount, mib in wanted.items():
        if free[mount] < mib:
            yield _problem(
                spec, host, "disk",
                _("%(free)d MiB are free on %(mount)s; a %(role)s needs %(need)d MiB there.")
                % {"free": free[mount], "mount": mount, "role": title, "need": mib},
                _("Free space on it, or choose another host."),
            )  # fmt: skip


def _ports(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    wanted = dict(NODE_PORTS)
    if is_control_plane(spec, host):
        wanted.update(CONTROL_PLANE_PORTS)
        if spec.profile == "standard":
            wanted.update(LOAD_BALANCER_PORTS)
    ours = spec.id in facts.clusters
    reported: set[int] = set()
    for listener in facts.listeners:
        port = listener.port
        if listener.protocol != "tcp" or port not in wanted or port in reported:
            continue
        if ours and listener.process in (wanted[port], ""):
            continue
        reported.add(port)
        who = listener.process or _("a program whose name could not be read")
        yield _problem(
            spec, host, "port_in_use",
            _("port %(port)d, for %(program)s, is taken by %(who)s.")
            % {"port": port, "program": wanted[port], "who": who},
            _("Stop %(who)s or move it to another port.") % {"who": who},
        )  # fmt: skip


def _taken(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    others = [str(number) for number in facts.clusters if number != spec.id]
    if others:
        yield _problem(
            spec, host, "in_cluster",
            _("it belongs to cluster %(ids)s of a Flotilla.") % {"ids": ", ".join(others)},
            _("Delete that cluster or remove the host from it first."),
        )  # fmt: skip
    elif facts.traces and spec.id not in facts.clusters:
        shown = "; ".join(facts.traces[:4])
        more = len(facts.traces) - 4
        if more > 0:
            shown = _("%(names)s and %(count)d more") % {"names": shown, "count": more}
        yield _problem(
            spec, host, "has_kubernetes",
            _("Kubernetes is or was on it (%(traces)s).") % {"traces": shown},
            _("Reset it with the tool that set it up, or choose another host."),
        )  # fmt: skip


def _packages(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    if {"containerd.io", "docker-ce", "docker.io"} & set(facts.packages) and (
        (docker := facts.units.get("docker.service")) is not None and docker.active
    ):
        yield _problem(
            spec, host, "docker",
            _("Docker runs on it; Flotilla would restart containerd under it."),
            _("Remove Docker, or choose another host."),
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (_name, _system, _size, _ports, _taken, _packages)


def _twins(spec: ClusterSpec, facts: Mapping[int, Facts]) -> Iterator[Problem]:
    """Hosts that are the same machine, or clones of one."""
    kinds: tuple[tuple[str, str, Callable[[HostSpec], str], str], ...] = (
        ("machine_id", _("it has the same machine id as %(twin)s (%(value)s)."),
         lambda h: facts[h.id].machine_id if h.id in facts else "",
         _("Run systemd-machine-id-setup on the clone after emptying /etc/machine-id.")),
        ("same_name", _("it has the same name as %(twin)s (%(value)s)."),
         lambda h: h.name, _("Give every host a name of its own.")),
        ("same_address", _("it has the same address as %(twin)s (%(value)s)."),
         lambda h: h.address, _("One machine can only be one node.")),
    )  # fmt: skip
    for code, what, value_of, mend in kinds:
        first: dict[str, HostSpec] = {}
        for host in spec.hosts:
            value = value_of(host)
            if not value:
                continue
            twin = first.setdefault(value, host)
            if twin is not host:
                said = what % {"twin": twin.name, "value": value}
                yield _problem(spec, host, code, said, mend)
