"""The engine alone: 40 small steps on 4 hosts, against ansible-core and pyinfra."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import machines
from bench.console import Console, cpu_seconds, register_hosts, wait_for
from bench.machines import fresh_lab, known_hosts, on_host
from bench.operations import FOLDER, STEPS
from bench.others import Ansible, Pyinfra, Spent, environment
from bench.report import Result, median_ratio, seconds, skipped
from lab import Lab

NAME = "engine"
TITLE = f"Engine alone: {STEPS} small steps on 4 hosts"
AIM = "ansible-core at least 5 times slower, pyinfra not faster"
TIMES_ANSIBLE, TIMES_PYINFRA = 5.0, 1.0
KINDS = ("changed", "unchanged")


class Flotilla:
    """A task of the console, with the worker that is running anyway, from launch to its end."""

    folder = FOLDER

    def __init__(self, console: Console, lab: Lab) -> None:
        from clusters.models import Cluster, Origin

        self.console = console
        self.hosts = register_hosts(lab.hosts, lab.key_path.read_text())
        self.cluster = Cluster.objects.create(name="bench", origin=Origin.PROVISIONED)
        self.worker = console.worker()
        self.own_time: list[float] = []

    def run(self, content: str) -> Spent:
        """Make the files have this content."""
        cpu = cpu_seconds(self.worker.pid)
        begin = time.perf_counter()
        task = wait_for(self.launch("bench_small", content))
        wall = time.perf_counter() - begin
        assert task.started and task.ended
        self.own_time.append((task.ended - task.started).total_seconds())
        return Spent(wall, cpu_seconds(self.worker.pid) - cpu)

    def run_cold(self, content: str) -> Spent:
        """The same by a worker process that is only started for it: `manage.py worker --once`."""
        begin = time.perf_counter()
        task = self.launch("bench_small_cold", content)
        process = self.console.start(
            "cold", "manage.py", "worker", "--queue", "bench-cold", "--once"
        )
        process.wait(timeout=600)
        wall = time.perf_counter() - begin
        wait_for(task, patience=1)
        return Spent(wall, 0.0)

    def launch(self, operation: str, content: str) -> object:
        """Queue the task."""
        from provisioning import operations

        parameters = {"hosts": [host.pk for host in self.hosts], "content": content}
        return operations.launch(
            operation, title="Small steps", user=None, parameters=parameters, cluster=self.cluster
        )


def measure(console: Console, rounds: int) -> Result:
    """All of them on the same hosts, one after the other, beginning with another one each round."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    bin_folder = environment()
    scratch = console.data / "engine"
    scratch.mkdir()
    with fresh_lab(4) as lab:
        known = known_hosts(lab, scratch)
        machines.install_packages(lab, ["python3"], known)
        flotilla = Flotilla(console, lab)
        ansible = Ansible(lab, bin_folder, scratch, known)
        pyinfra = Pyinfra(lab, bin_folder, scratch, known)
        ways: dict[str, Callable[[str], Spent]] = {
            "flotilla": flotilla.run,
            "cold": flotilla.run_cold,
            "ansible": ansible.run,
            "pyinfra": pyinfra.run,
        }
        try:
            for run in ways.values():  # once before anything counts: caches, byte code
                run("warm")
            flotilla.own_time.clear()
            spent = _rounds(ways, rounds)
        finally:
            ansible.close()
        _same_end(lab, known, [x.folder for x in (flotilla, ansible, pyinfra)], rounds)
        console.stop(flotilla.worker)
    return _result(spent, flotilla.own_time)


def _rounds(
    ways: dict[str, Callable[[str], Spent]], rounds: int
) -> dict[tuple[str, str], list[Spent]]:
    spent: dict[tuple[str, str], list[Spent]] = {}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            for kind in KINDS:
                content = f"round-{number}-{name}"
                spent.setdefault((name, kind), []).append(ways[name](content))
                print(f"  {name} {kind}: {spent[name, kind][-1].wall:.2f} s", file=sys.stderr)
    return spent


def _same_end(lab: Lab, known: Path, folders: list[str], rounds: int) -> None:
    """All three must really have written their files, the same number on each host."""
    for host in lab.hosts:
        for folder in folders:
            count = on_host(lab, host, f"grep -l round-{rounds - 1} {folder}/f* | wc -l", known)
            if int(count) != STEPS:
                raise RuntimeError(f"{host.name}: {count} of {STEPS} files in {folder} are right")


def _result(spent: dict[tuple[str, str], list[Spent]], own_time: list[float]) -> Result:
    result = Result(NAME, TITLE, AIM)
    walls = {key: [s.wall for s in values] for key, values in spent.items()}
    labels = {
        "flotilla": "Flotilla, launch to end",
        "cold": "Flotilla, worker started for it",
        "ansible": "ansible-core",
        "pyinfra": "pyinfra",
    }
    for kind in KINDS:
        for name, label in labels.items():
            cpu = statistics.median(s.cpu for s in spent[name, kind])
            more = f", {cpu:.2f} s of processor here" if cpu else ""
            result.add(f"{label}, {kind}", seconds(walls[name, kind]) + more)
    result.add("of Flotilla's, the task itself", seconds(own_time))
    ratios = {
        (other, kind): median_ratio(walls[other, kind], walls["flotilla", kind])
        for other in ("ansible", "pyinfra")
        for kind in KINDS
    }
    cold = {
        (other, kind): median_ratio(walls[other, kind], walls["cold", kind])
        for other in ("ansible", "pyinfra")
        for kind in KINDS
    }
    for (other, kind), ratio in cold.items():
        result.add(f"{other} / Flotilla with its worker's start, {kind}", f"{ratio:.1f}")
    result.figure = (
        f"ansible {ratios['ansible', 'changed']:.1f} and {ratios['ansible', 'unchanged']:.1f}, "
        f"pyinfra {ratios['pyinfra', 'changed']:.1f} and {ratios['pyinfra', 'unchanged']:.1f} "
        "times Flotilla's time (changed, unchanged)"
    )
    result.met = all(
        ratio >= (TIMES_ANSIBLE if other == "ansible" else TIMES_PYINFRA)
        for (other, _), ratio in ratios.items()
    )
    result.notes = [
        "one SSH connection kept for each host in all of them; the others' time has the start of "
        "their process in it, Flotilla's the wait until its running worker sees the task",
        "ansible: modules file and copy, pipelining, ControlPersist (connected before the clock "
        "starts), strategy free, 4 forks, no facts; pyinfra: files.put, --no-wait",
    ]
    result.data = {
        "ratios": {f"{other} {kind}": r for (other, kind), r in ratios.items()},
        "ratios_cold": {f"{other} {kind}": r for (other, kind), r in cold.items()},
        "wall": {f"{name} {kind}": v for (name, kind), v in walls.items()},
    }
    return result
