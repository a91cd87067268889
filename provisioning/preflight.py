"""Everything that must be right before a host is touched. Pure: facts in, problems out.

What only the connection itself can tell (unreachable, changed key, no sudo) is
the engine's; what is asked of the network (does a VIP answer) comes with the
recipe that has one.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from provisioning import shell, versions
from provisioning.facts import Facts
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Problem
from provisioning.steps.layout import is_control_plane, pod_range

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
        if known is None:
            problems.append(
                _problem(
                    spec, host, "unknown_host", "Nothing is known of it yet.", "Look at it first."
                )
            )
            continue
        for check in CHECKS:
            problems += check(spec, host, known)
    problems += _twins(spec, facts)
    problems += _networks(spec, facts)
    return problems


def _problem(spec: ClusterSpec, host: HostSpec, code: str, what: str, mend: str) -> Problem:
    role = "control_plane" if is_control_plane(spec, host) else "workers"
    return Problem(code, f"{host.name}: {what}", mend, host.id, role)


def _role(spec: ClusterSpec, host: HostSpec) -> str:
    return "control plane" if is_control_plane(spec, host) else "worker"


def _cluster(spec: ClusterSpec) -> Iterator[Problem]:
    try:
        shell.label(spec.name)
    except ValueError as error:
        yield Problem("bad_name", f"The cluster's name {error}.", "Choose another.", field="name")
    count = len(spec.control_plane)
    if spec.profile == "lightweight" and count != 1:
        yield Problem(
            "control_planes",
            f"A lightweight cluster has exactly one control plane, not {count}.",
            "Choose one host, or the standard type.",
            field="control_plane",
        )
    elif spec.profile == "standard" and (count < 3 or count % 2 == 0):
        yield Problem(
            "control_planes",
            f"{count} control planes cannot keep a majority better than one less can.",
            "Choose 3 or 5.",
            field="control_plane",
        )
    if not versions.supported(spec.release.version):
        oldest, newest = (".".join(map(str, v)) for v in (versions.OLDEST, versions.NEWEST))
        yield Problem(
            "version",
            f"Kubernetes {spec.release.version} is not one that Flotilla can set up.",
            f"Choose a release from {oldest} to {newest}.",
            field="release",
        )
    there = {file.name for file in spec.release.files}
    missing = [p for p in (*PROGRAMS, "kubelet", "kube-proxy") if p not in there]
    if missing:
        yield Problem(
            "release_incomplete",
            f"The release has no {', '.join(missing)}.",
            "Choose another release, or fetch this one again.",
            field="release",
        )


def _name(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    try:
        shell.label(host.name)
    except ValueError as error:
        yield _problem(spec, host, "bad_name", f"its name {error}.", "Rename the host here.")


def _system(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    if not facts.root:
        yield _problem(
            spec, host, "no_root", "commands do not run as root.",
            "Give its user sudo, or connect as root.",
        )  # fmt: skip
    if facts.arch != spec.release.arch:
        yield _problem(
            spec, host, "architecture",
            f"it is {facts.arch or 'of unknown architecture'}, the release is {spec.release.arch}.",
            "Choose a release for its architecture, or another host.",
        )  # fmt: skip
    if facts.init != "systemd":
        yield _problem(
            spec, host, "no_systemd", f"its init is {facts.init or 'unknown'}, not systemd.",
            "Choose a host with systemd.",
        )  # fmt: skip
    if abs(facts.skew) > MAX_SKEW:
        where = "ahead" if facts.skew > 0 else "behind"
        yield _problem(
            spec, host, "clock", f"its clock is {_span(abs(facts.skew))} {where}.",
            "Set its clock and keep it with chrony or systemd-timesyncd.",
        )  # fmt: skip


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def _size(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    role = _role(spec, host)
    need = NEEDS[spec.profile, role]
    if facts.cpus < need.cpus:
        yield _problem(
            spec, host, "cpu", f"it has {facts.cpus} processors; a {role} needs {need.cpus}.",
            "Give it more, or choose another host.",
        )  # fmt: skip
    if facts.memory < need.memory * MIB:
        yield _problem(
            spec, host, "memory",
            f"it has {facts.memory // MIB} MiB of memory; a {role} needs {need.memory} MiB.",
            "Give it more, or choose another host.",
        )  # fmt: skip
    if spec.id in facts.clusters:
        return  # what the cluster has taken itself is not missing
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
                f"{free[mount]} MiB are free on {mount}; a {role} needs {mib} MiB there.",
                "Free space on it, or choose another host.",
            )  # fmt: skip


def _ports(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    wanted = dict(NODE_PORTS)
    if is_control_plane(spec, host):
        wanted.update(CONTROL_PLANE_PORTS)
    ours = spec.id in facts.clusters
    reported: set[int] = set()
    for listener in facts.listeners:
        port = listener.port
        if listener.protocol != "tcp" or port not in wanted or port in reported:
            continue
        if ours and listener.process in (wanted[port], ""):
            continue
        reported.add(port)
        who = listener.process or "a program whose name could not be read"
        yield _problem(
            spec, host, "port_in_use", f"port {port}, for {wanted[port]}, is taken by {who}.",
            f"Stop {who} or move it to another port.",
        )  # fmt: skip


def _taken(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    others = [str(number) for number in facts.clusters if number != spec.id]
    if others:
        yield _problem(
            spec, host, "in_cluster", f"it belongs to cluster {', '.join(others)} of a Flotilla.",
            "Delete that cluster or remove the host from it first.",
        )  # fmt: skip
    elif facts.traces and spec.id not in facts.clusters:
        shown = "; ".join(facts.traces[:4])
        more = len(facts.traces) - 4
        yield _problem(
            spec, host, "has_kubernetes",
            f"Kubernetes is or was on it ({shown}{f' and {more} more' if more > 0 else ''}).",
            "Reset it with the tool that set it up, or choose another host.",
        )  # fmt: skip


def _packages(spec: ClusterSpec, host: HostSpec, facts: Facts) -> Iterator[Problem]:
    if {"containerd.io", "docker-ce", "docker.io"} & set(facts.packages) and (
        (docker := facts.units.get("docker.service")) is not None and docker.active
    ):
        yield _problem(
            spec, host, "docker", "Docker runs on it; Flotilla would restart containerd under it.",
            "Remove Docker, or choose another host.",
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (_name, _system, _size, _ports, _taken, _packages)


def _twins(spec: ClusterSpec, facts: Mapping[int, Facts]) -> Iterator[Problem]:
    """Hosts that are the same machine, or clones of one."""
    kinds: tuple[tuple[str, str, Callable[[HostSpec], str], str], ...] = (
        ("machine_id", "machine id", lambda h: facts[h.id].machine_id if h.id in facts else "",
         "Run systemd-machine-id-setup on the clone after emptying /etc/machine-id."),
        ("same_name", "name", lambda h: h.name, "Give every host a name of its own."),
        ("same_address", "address", lambda h: h.address, "One machine can only be one node."),
    )  # fmt: skip
    for code, what, value_of, mend in kinds:
        first: dict[str, HostSpec] = {}
        for host in spec.hosts:
            value = value_of(host)
            if not value:
                continue
            twin = first.setdefault(value, host)
            if twin is not host:
                yield _problem(
                    spec, host, code, f"it has the same {what} as {twin.name} ({value}).", mend
                )


def _networks(spec: ClusterSpec, facts: Mapping[int, Facts]) -> Iterator[Problem]:
    parsed: dict[str, ipaddress.IPv4Network] = {}
    for name, text in (("pod_cidr", spec.pod_cidr), ("service_cidr", spec.service_cidr)):
        try:
            parsed[name] = ipaddress.IPv4Network(text)
        except ValueError:
            yield Problem(
                "network", f"{text!r} is not an IPv4 network.", "Write it as 10.244.0.0/16.",
                field=name,
            )  # fmt: skip
    if len(parsed) < 2:
        return
    if parsed["pod_cidr"].overlaps(parsed["service_cidr"]):
        yield Problem(
            "overlap",
            f"The service network {spec.service_cidr} overlaps the pods' {spec.pod_cidr}.",
            "Choose two networks that have nothing in common.", field="service_cidr",
        )  # fmt: skip
    if not 12 <= parsed["service_cidr"].prefixlen <= 28:
        yield Problem(
            "network", f"The service network {spec.service_cidr} has no usable size.",
            "Choose one from /12 to /28.", field="service_cidr",
        )  # fmt: skip
    try:
        for host in spec.hosts:
            pod_range(spec, host)
    except ValueError:
        yield Problem(
            "network", f"The pod network {spec.pod_cidr} is too small for {len(spec.hosts)} hosts.",
            "Choose a larger one: each host takes a /24.", field="pod_cidr",
        )  # fmt: skip
    yield from _host_networks(spec, facts, parsed)


def _host_networks(
    spec: ClusterSpec,
    facts: Mapping[int, Facts],
    parsed: Mapping[str, ipaddress.IPv4Network],
) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    subnets: dict[str, ipaddress.IPv4Network] = {}
    for host in spec.hosts:
        known = facts.get(host.id, Facts())
        for item in known.addresses:
            if ":" in item.address or item.interface in ("lo", "cni0"):
                continue
            network = ipaddress.IPv4Network(f"{item.address}/{item.prefix}", strict=False)
            if item.address == host.address:
                subnets[host.name] = network
            for field, cidr in parsed.items():
                if cidr.overlaps(network) and (field, str(network)) not in seen:
                    seen.add((field, str(network)))
                    what = "pods'" if field == "pod_cidr" else "services'"
                    yield Problem(
                        "overlap",
                        f"The {what} network {cidr} overlaps {network}, in which {host.name} is.",
                        "Choose another network.", host.id, field,
                    )  # fmt: skip
    if str(spec.options.get("network", "routed")) == "routed" and len(set(subnets.values())) > 1:
        shown = ", ".join(f"{name} in {network}" for name, network in subnets.items())
        yield Problem(
            "subnets", f"The routed network needs all hosts in one subnet; they are not: {shown}.",
            "Choose hosts of one subnet, or a network plug-in with an overlay.", field="network",
        )  # fmt: skip
