"""The overview of 150 clusters, while all are well and while 45 of them hang."""

from __future__ import annotations

import http.client
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import memory
from bench.api_servers import WAYS, way_of
from bench.console import CHECKOUT, Console, cpu_seconds
from bench.fleet_objects import PODS
from bench.report import Result, seconds

NAME = "fleet"
CLUSTERS, HUNG = 150, 45
TITLE = f"The overview of {CLUSTERS} clusters of which {HUNG} hang, against {CLUSTERS} healthy ones"
MOST_TIMES = 1.5
MOST_MEMORY = 1.5 * 2**30
AIM = (
    f"p95 at most {MOST_TIMES:g} times, no outbound call of the web process, "
    f"all processes at most {MOST_MEMORY / 2**30:g} GiB"
)
REQUESTS = 20  # of each state in each round
PAUSE = 0.2  # between two requests: together they see more than one pulse of each cluster
LEAST_ROUNDS = 3
SETTLE = 10


def measure(console: Console, rounds: int) -> Result:
    """Healthy, hanging, healthy again, some rounds: load that comes and goes hits both sides."""
    sockets = console.data / "sockets.log"
    sockets.touch()
    console.environment["FLOTILLA_BENCH_SOCKETS"] = str(sockets)
    result = Result(NAME, TITLE, AIM)
    with ApiServers(console.data / "fleet", CLUSTERS) as servers:
        servers.register()
        processes = [console.start("watcher", "manage.py", "watcher"), console.worker()]
        processes.append(console.web("bench.audited:application"))
        began = time.monotonic()
        _until(_all_listed, processes)
        result.add(f"until the last of {CLUSTERS} clusters was in SQL", _since(began))
        time.sleep(SETTLE)
        visits = Visits(console, processes[-1])
        quiet = len(sockets.read_text().splitlines())  # what starting took; no page was asked for
        pages = [visits.get()]
        healthy, early, hanging = Times(), Times(), Times()
        rss, waits = [_rss(processes)], []
        for _round in range(max(rounds, LEAST_ROUNDS)):
            visits.times(healthy)
            began = time.monotonic()
            servers.tell(f"hang {HUNG}")
            visits.times(early)
            _until(lambda: _away() == HUNG, processes)
            waits.append(time.monotonic() - began)
            visits.times(hanging)
            pages[1:] = [visits.get()]
            rss.append(_rss(processes))
            servers.tell("heal")
            _until(lambda: _away() == 0, processes)
            time.sleep(SETTLE)
            rss.append(_rss(processes))
        calls = sockets.read_text().splitlines()[quiet:]
        heard = _control(visits, sockets)
        seen = servers.tell("counts")
    result.add(f"until {HUNG} were called unreachable", seconds(waits))
    _tell_times(result, healthy, hanging, early)
    result.add("the page", " and ".join(f"{len(page) / 1024:.0f} KiB" for page in pages))
    _tell_rest(result, rss, calls, heard, seen)
    return result


def p95(values: Sequence[float]) -> float:
    """The nearest-rank 95th percentile: at least 95 of 100 values are no larger."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _tell_times(result: Result, healthy: Times, hanging: Times, early: Times) -> None:
    for label, found in (
        (f"{CLUSTERS} healthy", healthy),
        (f"{HUNG} hang and are called unreachable", hanging),
        (f"{HUNG} have just begun to hang", early),
    ):
        result.add(
            label,
            f"median {1000 * statistics.median(found.waits):.0f} ms, "
            f"p95 {1000 * p95(found.waits):.0f} ms of {len(found.waits)} requests; "
            f"{1000 * found.cpu / len(found.waits):.0f} ms of processor time for each",
        )
    times = p95(hanging.waits) / p95(healthy.waits)
    middle = statistics.median(hanging.waits) / statistics.median(healthy.waits)
    cpu = (hanging.cpu / len(hanging.waits)) / (healthy.cpu / len(healthy.waits))
    result.add("times", f"p95 {times:.2f}, median {middle:.2f}, processor time {cpu:.2f}")
    result.figure = f"p95 {times:.2f} times"
    result.met = times <= MOST_TIMES
    result.data |= {
        "healthy": healthy.waits, "hanging": hanging.waits, "early": early.waits, "times": times,
        "median_times": middle, "cpu_times": cpu,
    }  # fmt: skip
    ways = ", ".join(f"{sum(way_of(n) == way for n in range(HUNG))} {way}" for way in WAYS)
    result.notes.append(f"hanging: {ways}")


def _tell_rest(
    result: Result,
    rss: list[dict[str, int]],
    calls: list[str],
    heard: list[str],
    seen: dict[str, int],
) -> None:
    most = max(rss, key=lambda found: sum(found.values()))
    together = sum(most.values())
    parts = ", ".join(f"{name} {memory.mib(size)}" for name, size in sorted(most.items()))
    result.add("memory at its most, RSS", f"{memory.mib(together)} ({parts})")
    result.add("outbound calls of the web process during all of these requests", str(len(calls)))
    result.add("the same hook during one page of YAML, which asks its cluster", str(len(heard)))
    result.add(
        "what the API servers saw",
        f"{seen['connections']} connections, {seen['requests']} requests",
    )
    result.figure += f", {len(calls)} outbound calls, {memory.mib(together)}"
    result.met = bool(result.met) and not calls and together <= MOST_MEMORY
    result.notes += [f"outbound: {call}" for call in calls[:5]]
    result.data |= {"rss": rss, "calls": calls, "control": heard, "api_servers": seen}


class ApiServers:
    """The process of bench/api_servers.py. Use it as a context manager."""

    def __init__(self, folder: Path, clusters: int) -> None:
        self._folder, self._clusters = folder, clusters

    def __enter__(self) -> ApiServers:
        from provisioning import pki
        from provisioning.pki import Leaf

        self._folder.mkdir()
        self._ca = pki.new_authority("kubernetes")
        leaf = pki.new_leaf(self._ca, Leaf("kube-apiserver", addresses=("127.0.0.1",), server=True))
        for name, text in (
            ("ca.crt", self._ca.certificate), ("server.crt", leaf.certificate),
            ("server.key", leaf.key),
        ):  # fmt: skip
            (self._folder / name).write_text(text)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.api_servers", str(self._folder), str(self._clusters)],
                cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.ports: list[int] = self._line()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()

    def tell(self, command: str) -> dict[str, int]:
        """Send a line of bench/api_servers.py; its answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        found: dict[str, int] = self._line()
        return found

    def _line(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the API servers have ended:\n{(self._folder / 'log').read_text()}")
        return json.loads(line)

    def register(self) -> None:
        """A row with credentials for each of them, as an import leaves it."""
        from clusters.kube.credentials import CA, CERTIFICATE, KEY
        from clusters.models import Cluster, ClusterSecret, ClusterStatus, Origin
        from provisioning import pki

        pair = pki.client_certificate(self._ca, "flotilla:console", ("system:masters",), hours=24)
        for number, port in enumerate(self.ports):
            cluster = Cluster.objects.create(
                name=f"fleet-{number:03}", origin=Origin.IMPORTED, status=ClusterStatus.ACTIVE,
                endpoint=f"https://127.0.0.1:{port}",
            )  # fmt: skip
            # The watcher takes clusters that have a certificate: that one comes last.
            texts = ((CA, self._ca.certificate), (KEY, pair.key), (CERTIFICATE, pair.certificate))
            for name, value in texts:
                ClusterSecret.objects.create(cluster=cluster, name=name, value=value)


@dataclass
class Times:
    """Seconds of each request, and of the web process's processor for all of them."""

    waits: list[float] = field(default_factory=list)
    cpu: float = 0.0


class Visits:
    """A signed-in reader who asks for the overview again and again, by real HTTP."""

    def __init__(self, console: Console, web: subprocess.Popen[bytes]) -> None:
        self._port, self._cookie, self._web = console.port, console.cookie(), web

    def get(self, path: str = "/") -> bytes:
        """The page; each request has a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("GET", path, headers={"Cookie": self._cookie})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return body

    def times(self, found: Times) -> None:
        """Some requests more, one after the other."""
        cpu = cpu_seconds(self._web.pid)
        for _number in range(REQUESTS):
            time.sleep(PAUSE)
            began = time.perf_counter()
            self.get()
            found.waits.append(time.perf_counter() - began)
        found.cpu += cpu_seconds(self._web.pid) - cpu


def _control(visits: Visits, sockets: Path) -> list[str]:
    """What the hook hears of a page that does ask a cluster. Raises RuntimeError: it is deaf."""
    from django.urls import reverse

    from clusters.models import Object

    pod = Object.objects.filter(resource="pods").latest("cluster_id")
    place = [pod.cluster_id, pod.resource, pod.namespace, pod.name, "yaml"]
    before = len(sockets.read_text().splitlines())
    visits.get(reverse("clusters:object-tab", args=place))
    heard = sockets.read_text().splitlines()[before:]
    if not heard:
        raise RuntimeError("the hook did not hear a call that was made: its silence says nothing")
    return heard


def _all_listed() -> bool:
    """Whether every cluster's pods and figures are in SQL."""
    from clusters.models import ClusterFigures, Object

    pods: int = Object.objects.filter(resource="pods").count()
    counted: int = ClusterFigures.objects.filter(pods=PODS, nodes__gt=0).count()
    return pods == CLUSTERS * PODS and counted == CLUSTERS


def _away() -> int:
    from clusters.models import Cluster, ClusterStatus

    return int(Cluster.objects.filter(status=ClusterStatus.UNREACHABLE).count())


def _rss(processes: list[subprocess.Popen[bytes]]) -> dict[str, int]:
    """Resident bytes of each, and of what it started."""
    return {
        name: sizes[0]
        for process in processes
        for name, sizes in memory.processes(process.pid).items()
    }


def _until(
    true: Callable[[], bool], processes: list[subprocess.Popen[bytes]], seconds: float = 300
) -> None:
    ends = time.monotonic() + seconds
    while not true():
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a process of the console has ended")
        if time.monotonic() > ends:
            raise RuntimeError(f"what was awaited did not come within {seconds:g} s")
        time.sleep(0.5)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
