"""The watcher on a real kube-apiserver: from a change to its row, events per second, memory."""

from __future__ import annotations

import itertools
import os
import random
import statistics
import subprocess
import threading
import time
from pathlib import Path

from bench.console import Console
from bench.report import Result, skipped

NAME = "inventory"
TITLE = "From a change in the API server to its row; the watcher's throughput and memory"
MOST = 1.0
AIM = f"95 of 100 changes are in a row within {MOST:g} s"
PODS = 1000
CHANGES = 100
BURST = 3000
WRITERS = 6
CLUSTERS = 20  # for the memory of many
FLEET = 150
TICK = os.sysconf("SC_CLK_TCK")


def measure(console: Console, rounds: int) -> Result:
    """One cluster with 1,000 pods: latency, a burst, memory; then 20 clusters more."""
    from tests.integration import api_server, bulk

    if lacks := api_server.missing():
        return skipped(NAME, TITLE, AIM, lacks)
    result = Result(NAME, TITLE, AIM)
    with api_server.RealApiServer() as server:
        conn = server.connection()
        bulk.make(conn, bulk.PODS, (bulk.pod(f"p{n:04}") for n in range(PODS)))
        for n in range(WRITERS):
            conn.post(bulk.MAPS, bulk.config_map(f"burst-{n}"))
        watcher = console.start("watcher", "manage.py", "watcher")
        time.sleep(8)
        idle = _rss(watcher)
        first = cluster_row(server, 0)
        began = time.monotonic()
        wait_until(lambda: pods_in(first) == PODS, watcher)
        result.add("1,000 pods listed and written", f"{time.monotonic() - began:.1f} s, with up to "
                   "5 s until the watcher claims the cluster")  # fmt: skip
        time.sleep(5)
        one = _rss(watcher)
        result.add("memory without a cluster", _mib(idle))
        result.add("memory with a cluster of 1,000 pods", f"{_mib(one)} ({_mib(one - idle)} more)")
        waits = _latency(conn, bulk, first)
        rate, cost = _burst(server, bulk, first, watcher)
        result.add("throughput", f"{rate:.0f} events/s with {WRITERS} writers of this process")
        result.add("processor time of the watcher", f"{cost * 1e6:.0f} µs for each event, which is "
                   f"{1 / cost:.0f} events/s for one processor")  # fmt: skip
        # The first ones bring what the largest lists need at a time; those after them the slope.
        before = _more(server, 1, CLUSTERS // 2, watcher)
        after = _more(server, 1 + CLUSTERS // 2, CLUSTERS // 2, watcher)
        each = (after - before) / (CLUSTERS // 2)
        threads = len(list(Path(f"/proc/{watcher.pid}/task").iterdir()))
        result.add(
            f"memory with {CLUSTERS + 1} such clusters",
            f"{_mib(after)}, {each / 2**10:.0f} KiB for each more, {threads} threads; "
            f"reckoned for {FLEET}: {_mib(after + each * (FLEET - CLUSTERS - 1))}",
        )
        result.data = {
            "waits": waits, "events_per_second": rate, "cpu_seconds_per_event": cost,
            "rss_idle": idle, "rss_one": one, "rss_many": after, "rss_each": each,
        }  # fmt: skip
    middle, worst = statistics.median(waits), sorted(waits)[int(len(waits) * 0.95)]
    result.figure = f"median {middle * 1000:.0f} ms, p95 {worst * 1000:.0f} ms"
    result.met = worst <= MOST
    result.notes = ["the API server, etcd, the writers and the watcher share this machine"]
    return result


def cluster_row(server: object, number: int) -> int:
    """A cluster's row with an admin's credentials; its id."""
    from clusters.kube.credentials import CA, CERTIFICATE, KEY
    from clusters.models import Cluster, ClusterSecret, ClusterStatus, Origin

    found = server.credentials()  # type: ignore[attr-defined]
    cluster = Cluster.objects.create(
        name=f"bench-{number}", origin=Origin.IMPORTED, endpoint=found.endpoint,
        status=ClusterStatus.ACTIVE,
    )  # fmt: skip
    # The watcher takes clusters that have a certificate: that one comes last.
    for name, value in ((CA, found.ca), (KEY, found.key), (CERTIFICATE, found.certificate)):
        ClusterSecret.objects.create(cluster=cluster, name=name, value=value)
    return int(cluster.pk)


def _more(server: object, first: int, number: int, watcher: subprocess.Popen[bytes]) -> int:
    """Resident bytes once so many more clusters are watched."""
    many = [cluster_row(server, first + n) for n in range(number)]
    wait_until(lambda: sum(pods_in(pk) for pk in many) == PODS * number, watcher, 300)
    time.sleep(15)
    return _rss(watcher)


def pods_in(cluster: int) -> int:
    """How many pods of a cluster are in SQL."""
    from clusters.models import Object

    return int(Object.objects.filter(cluster_id=cluster, resource="pods").count())


def _latency(conn: object, bulk: object, cluster: int) -> list[float]:
    """Seconds from the API server's answer to the row, one change at a time."""
    from clusters.models import Object

    waits = []
    rows = Object.objects.filter(cluster_id=cluster, resource="pods")
    for number in range(CHANGES):
        time.sleep(random.uniform(0.05, 0.3))
        name = f"p{number:04}"
        path = f"{bulk.PODS}/{name}"  # type: ignore[attr-defined]
        conn.merge_patch(path, {"metadata": {"labels": {"n": str(number)}}})  # type: ignore[attr-defined]
        began = time.monotonic()
        while rows.get(name=name).labels.get("n") != str(number):
            if time.monotonic() > began + 30:
                raise RuntimeError(f"the change of {name} did not arrive within 30 s")
            time.sleep(0.005)
        waits.append(time.monotonic() - began)
    return waits


def _burst(
    server: object, bulk: object, cluster: int, watcher: subprocess.Popen[bytes]
) -> tuple[float, float]:
    """Events per second from the first write to the last row, and CPU seconds for each event."""
    from clusters.models import Object

    numbers = itertools.count()

    def write(writer: int) -> None:
        conn = server.connection()  # type: ignore[attr-defined]
        while (number := next(numbers)) < BURST:
            path = f"{bulk.PODS}/p{number % PODS:04}"  # type: ignore[attr-defined]
            conn.merge_patch(path, {"metadata": {"labels": {"burst": str(number)}}})
        mark = f"{bulk.MAPS}/burst-{writer}"  # type: ignore[attr-defined]
        conn.merge_patch(mark, {"metadata": {"labels": {"done": "yes"}}})

    spent, began = _cpu(watcher), time.monotonic()
    threads = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = Object.objects.filter(cluster_id=cluster, resource="pods")

    def arrived() -> bool:
        # The last write of each pod: some may have passed each other.
        found = [int(labels.get("burst", -1)) for labels in rows.values_list("labels", flat=True)]
        return len([n for n in found if n >= BURST - PODS - WRITERS]) == PODS

    wait_until(arrived, watcher)
    return BURST / (time.monotonic() - began), (_cpu(watcher) - spent) / BURST


def wait_until(true: object, watcher: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Return when it is true. Raises RuntimeError after so long, or when the watcher ends."""
    ends = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if watcher.poll() is not None:
            raise RuntimeError("the watcher has ended")
        if time.monotonic() > ends:
            raise RuntimeError(f"the rows did not come within {seconds:g} s")
        time.sleep(0.02)


def _cpu(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _rss(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
