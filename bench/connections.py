"""How many SSH connections and channels a task takes, counted by the hosts' own sshd."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench import machines
from bench.console import Console, register_hosts, wait_for
from bench.machines import fresh_lab, known_hosts, on_host
from bench.operations import STEPS
from bench.report import Result, skipped
from lab import Host, Lab

NAME = "connections"
TITLE = f"SSH connections and channels of a task: {STEPS + 1} steps on 4 hosts"
AIM = "1 connection for each host, at most 1 channel for each step and host"
# sshd's words at LogLevel VERBOSE, for a connection that signed in and for a channel's command.
SIGNED_IN, CHANNEL = "Accepted publickey for", "Starting session: command"
COUNT = "journalctl --sync; journalctl -t sshd -o cat --no-pager"


@dataclass(frozen=True)
class Seen:
    """What one host's sshd saw."""

    connections: int
    channels: int


def count_all(lab: Lab, host: Host, known: Path) -> None:
    """Make the host's sshd write down every connection and channel from now on."""
    (host.root / "etc/ssh/sshd_config.d/count.conf").write_text("LogLevel VERBOSE\n")
    on_host(lab, host, "systemctl reload ssh", known)


def seen_by(lab: Lab, host: Host, known: Path) -> Seen:
    """What the host's sshd has written down so far, this question included."""
    lines = on_host(lab, host, COUNT, known).splitlines()
    return Seen(*(sum(line.startswith(word) for line in lines) for word in (SIGNED_IN, CHANNEL)))


def measure(console: Console, rounds: int) -> Result:
    """One whole task, and then what each sshd says of it."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    from clusters.models import Cluster, Origin
    from provisioning import operations
    from provisioning.models import TaskStep

    with fresh_lab(4) as lab:
        known = known_hosts(lab, console.data)
        for host in lab.hosts:
            count_all(lab, host, known)
        before = {host.name: seen_by(lab, host, known) for host in lab.hosts}
        rows = register_hosts(lab.hosts, lab.key_path.read_text())
        cluster = Cluster.objects.create(name="connections", origin=Origin.PROVISIONED)
        console.worker()
        task = wait_for(
            operations.launch(
                "bench_small", title="Small", user=None, cluster=cluster,
                parameters={"hosts": [row.pk for row in rows], "content": "count"},
            )
        )  # fmt: skip
        steps = Counter(
            TaskStep.objects.filter(task=task, host__isnull=False).values_list(
                "host_name", flat=True
            )
        )
        found = {}
        for host in lab.hosts:
            after = seen_by(lab, host, known)
            # Each question counts itself: the difference holds one question too many.
            found[host.name] = Seen(
                after.connections - before[host.name].connections - 1,
                after.channels - before[host.name].channels - 1,
            )
    return _result(found, steps)


def _result(found: dict[str, Seen], steps: Counter[str]) -> Result:
    result = Result(NAME, TITLE, AIM)
    for name, seen in found.items():
        result.add(name, f"{seen.connections} connection, {seen.channels} channels for "
                   f"{steps[name]} steps")  # fmt: skip
    most = max(seen.connections for seen in found.values())
    share = max(seen.channels / steps[name] for name, seen in found.items())
    result.figure = f"{most} connection for each host, {share:.2f} channels for each step"
    result.met = most == 1 and share <= 1
    result.notes = ["counted in the log of each host's sshd; the step that reads the facts is one"]
    result.data = {name: [s.connections, s.channels, steps[name]] for name, s in found.items()}
    return result
