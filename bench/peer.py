"""The list of a cluster's 2,000 pods, here and in kube-web-view, on one real kube-apiserver."""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.console import Console, cpu_seconds, free_port
from bench.others import REQUIREMENTS, environment
from bench.report import Result, median_ratio, skipped

NAME = "peer"
PODS = 2000
TITLE = f"The list of {PODS:,} pods, beside kube-web-view on the same API server"
AIM = "not slower than the peer, with as many rows"
OWN = "flotilla, 50 rows"
FIRST, ALL = "kube-web-view, 50 rows", "kube-web-view, all rows"
WARM = 2


@dataclass
class Side:
    """One page of one console: where it is, and what its requests took."""

    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    size: int = 0
    rows: int = 0

    def ask(self, counts: bool = True) -> None:
        """One request of the page. Raises RuntimeError when it is not what it should be."""
        spent, began = cpu_seconds(self.process.pid), time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", self.path, headers=self.headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        wait = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{self.path} answered {answer.status}: {body[-500:]!r}")
        self.size, self.rows = len(body), body.count(b"<tr") - 1
        if counts:
            self.waits.append(wait)
            self.cpu.append(cpu_seconds(self.process.pid) - spent)


def measure(console: Console, rounds: int) -> Result:
    """Each side once in each round, beginning with another one."""
    from bench.inventory import cluster_row, pods_in, wait_until
    from tests.integration import api_server, bulk

    if lacks := api_server.missing():
        return skipped(NAME, TITLE, AIM, lacks)
    program = environment(REQUIREMENTS.with_name("requirements-peer.txt")) / "kube-web-view"
    with api_server.RealApiServer() as server:
        bulk.make(server.connection(), bulk.PODS, (bulk.pod(f"p{n:04}") for n in range(PODS)))
        cluster = cluster_row(server, 0)
        watcher = console.start("watcher", "manage.py", "watcher")
        web = console.web()
        wait_until(lambda: pods_in(cluster) == PODS, watcher)
        own = Side(web, console.port, f"/clusters/{cluster}/pods/", {"Cookie": console.cookie()})
        with _peer(program, console.data / "peer", server.credentials()) as (process, port):
            path = "/clusters/bench/namespaces/default/pods"
            sides = {
                OWN: own,
                FIRST: Side(process, port, f"{path}?limit=50"),
                ALL: Side(process, port, path),
            }
            for number in range(-WARM, max(rounds, 9)):
                names = list(sides)
                first = number % len(names)
                for name in names[first:] + names[:first]:
                    sides[name].ask(counts=number >= 0)
    return _result(sides)


@contextmanager
def _peer(program: Path, folder: Path, found: Any) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """kube-web-view with a kubeconfig for the server, answering; its process and port."""
    folder.mkdir()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(found))
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), f"--port={port}", f"--kubeconfig-path={kubeconfig}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        ends = time.monotonic() + 60
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > ends:
                tail = (folder / "log").read_text()[-2000:]
                raise RuntimeError(f"kube-web-view does not start:\n{tail}")
            time.sleep(0.2)
        yield process, port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _kubeconfig(found: Any) -> str:
    """JSON, which is YAML too."""

    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    cluster = {"server": found.endpoint, "certificate-authority-data": data(found.ca)}
    user = {
        "client-certificate-data": data(found.certificate), "client-key-data": data(found.key),
    }  # fmt: skip
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": user}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    })  # fmt: skip


def _result(sides: dict[str, Side]) -> Result:
    result = Result(NAME, TITLE, AIM)
    for name, side in sides.items():
        result.add(
            name,
            f"{1000 * statistics.median(side.waits):.0f} ms, "
            f"{1000 * statistics.mean(side.cpu):.0f} ms of processor time, "
            f"{side.size / 1024:.0f} KiB, {side.rows} rows",
        )
    own = sides[OWN]
    times = {name: median_ratio(sides[name].waits, own.waits) for name in (FIRST, ALL)}
    result.figure = (
        f"the peer takes {times[FIRST]:.1f} times as long for 50 rows, "
        f"{times[ALL]:.1f} times for all"
    )
    result.met = times[FIRST] >= 1
    result.notes = [
        "kube-web-view asks the API server in every request and shows what is true at that moment; "
        "the console shows what its watcher has written"
    ]
    result.data = {
        name: {"waits": side.waits, "cpu": side.cpu, "bytes": side.size, "rows": side.rows}
        for name, side in sides.items()
    }
    return result
