"""A page of pods from SQL against the stock client's whole list, and many pods against few."""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from bench.console import CHECKOUT, Console
from bench.report import Result, median_ratio

if TYPE_CHECKING:
    from django.test import Client

    from clusters.models import Cluster

NAME = "pages"
TITLE = "A page of pods out of 10,000, and out of 20,000 against 200"
LEAST_SHARE = 50
MOST_GROWTH = 2.0
AIM = (
    f"at most 1/{LEAST_SHARE} of the processor time of the stock client's full list, "
    f"no call to the API; at 20,000 pods at most {MOST_GROWTH:g} times 200, same queries"
)
PODS, MANY, FEW = 10_000, 20_000, 200
# The stock client in a process of its own: what it loads at its start does not count.
STOCK = """
import sys, time
from kubernetes import client
api = client.CoreV1Api(client.ApiClient(client.Configuration(host=sys.argv[1])))
api.list_pod_for_all_namespaces(limit=1)
begin = time.process_time()
pods = api.list_pod_for_all_namespaces()
took = time.process_time() - begin
assert len(pods.items) == int(sys.argv[2]), len(pods.items)
print(took)
"""


def measure(console: Console, rounds: int) -> Result:
    """Both sides in every round; who begins changes."""
    client = _client(console)
    clusters = {count: _cluster(count) for count in (PODS, MANY, FEW)}
    result = Result(NAME, TITLE, AIM)
    with ApiServer(PODS) as server:
        clusters[PODS].endpoint = server.address
        clusters[PODS].save()
        page, stock = _against_stock(client, clusters[PODS], server, rounds, result)
    share = median_ratio(stock, page)
    growth = _growth(client, clusters[MANY], clusters[FEW], max(rounds, 9), result)
    result.figure = f"1/{share:.0f} of the full list; {max(growth):.2f} times at 20,000"
    result.met = (
        share >= LEAST_SHARE
        and max(growth) <= MOST_GROWTH
        and result.data["api_calls"] == 0
        and result.data["same_queries"]
    )
    result.data |= {"share": share, "growth": growth}
    return result


def _against_stock(
    client: Client, cluster: Cluster, server: ApiServer, rounds: int, result: Result
) -> tuple[list[float], list[float]]:
    address = f"/clusters/{cluster.pk}/pods/"
    _cpu(client, address)
    page: list[float] = []
    stock: list[float] = []
    calls = 0
    for number in range(rounds):
        for side in ("page", "stock") if number % 2 else ("stock", "page"):
            if side == "stock":
                stock.append(_stock(server.address))
                continue
            before = server.calls
            page.append(statistics.median(_cpu(client, address) for _ in range(5)))
            calls += server.calls - before
    result.add("a page of 50 pods", f"{1000 * statistics.median(page):.1f} ms of processor time")
    result.add("the stock client's list", f"{1000 * statistics.median(stock):.0f} ms")
    result.add("calls to the API server during pages", str(calls))
    result.data["api_calls"] = calls
    return page, stock


def _growth(
    client: Client, many: Cluster, few: Cluster, rounds: int, result: Result
) -> list[float]:
    """For each kind of page: how many times the cost at 20,000 pods is that at 200."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    pages: dict[str, Callable[[Cluster], str]] = {
        "first page": lambda _cluster: "",
        "filtered by namespace": lambda _cluster: "?namespace=space-3",
        "filtered by what needs a look": lambda _cluster: "?health=look",
        "filtered by text": lambda _cluster: "?q=1",
        "last page": _last,
    }
    ratios: list[float] = []
    same = True
    for label, query in pages.items():
        addresses = [f"/clusters/{c.pk}/pods/{query(c)}" for c in (many, few)]
        counts = []
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                client.get(address)
            counts.append(len(captured))
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            for side in (0, 1) if number % 2 else (1, 0):
                times[side].append(_cpu(client, addresses[side]))
        ratios.append(median_ratio(*times))
        same = same and counts[0] == counts[1]
        result.add(
            label,
            f"{1000 * statistics.median(times[0]):.1f} ms against "
            f"{1000 * statistics.median(times[1]):.1f} ms, {ratios[-1]:.2f} times; "
            f"{counts[0]} and {counts[1]} queries",
        )
    result.data["same_queries"] = same
    result.notes.append(
        "What needs a look is 2 rows of 200 pods and a full page of 20,000: most of that "
        "difference is their rendering. The other pages are full on both sides."
    )
    return ratios


def _last(cluster: Cluster) -> str:
    from clusters.models import Object

    rows = Object.objects.filter(cluster=cluster, resource="pods").order_by("-name", "-pk")
    row = rows[50]
    raw = json.dumps([row.name, row.pk]).encode()
    return f"?after={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def _cpu(client: Client, address: str) -> float:
    begin = time.process_time()
    answer = client.get(address)
    took = time.process_time() - begin
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}")
    return took


def _stock(address: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", STOCK, address, str(PODS)],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the stock client failed: {done.stderr[-2000:]}")
    return float(done.stdout)


def _client(console: Console) -> Client:
    """A browser of a signed-in auditor, in this process."""
    from django.test import Client

    name, _equals, value = console.cookie().partition("=")
    client = Client(SERVER_NAME="localhost")
    client.cookies[name] = value
    return client


def _cluster(pods: int) -> Cluster:
    """A cluster with so many pods in the inventory, spread as a real one's."""
    from django.utils import timezone

    from clusters.figures import refresh
    from clusters.models import Cluster, ClusterStatus, Object, Origin

    now = timezone.now()
    cluster = Cluster.objects.create(
        name=f"bench-{pods}", origin=Origin.IMPORTED, status=ClusterStatus.ACTIVE, seen=now
    )
    Object.objects.bulk_create(
        (
            Object(
                cluster=cluster, resource="pods", api_version="v1", kind="Pod",
                namespace=f"space-{n % 4}", name=f"web-{n:05d}", uid=f"{cluster.pk}-{n}",
                status="CrashLoopBackOff" if n % 100 == 0 else "Running",
                health="bad" if n % 100 == 0 else "good", node=f"node-{n % 100}",
                images="registry.example.com/web:1.4", labels={"app": "web"},
                created=now - timedelta(minutes=n), summary=_summary(n),
            )
            for n in range(pods)
        ),
        batch_size=1000,
    )  # fmt: skip
    refresh(cluster)
    return cluster


def _summary(number: int) -> dict[str, Any]:
    waiting = number % 100 == 0
    return {
        "phase": "Running", "ready": [int(not waiting), 1], "restarts": number % 3,
        "cpu_request": 0.25, "memory_request": 2**28,
        "containers": [
            {"name": "web", "image": "registry.example.com/web:1.4",
             "state": "waiting" if waiting else "running",
             "reason": "CrashLoopBackOff" if waiting else "", "message": "back-off 5m0s"}
        ],
        "conditions": [{"type": "Ready", "status": "False" if waiting else "True"}],
    }  # fmt: skip


class ApiServer:
    """An API server that has one answer: its pods, as the real one writes them."""

    def __init__(self, pods: int) -> None:
        self._answers = {True: _pod_list(1), False: _pod_list(pods)}
        self.calls = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.calls += 1
                body = outer._answers["limit=1" in self.path]
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Say nothing: only the count matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ApiServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pod_list(pods: int) -> bytes:
    items: Sequence[dict[str, Any]] = [pod(n) for n in range(pods)]
    answer = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
    return json.dumps({**answer, "items": items}).encode()


def pod(n: int) -> dict[str, Any]:
    """A pod as an API server writes it."""
    time_of = "2026-01-01T00:00:00Z"
    return {
        "metadata": {
            "name": f"web-{n:05d}", "namespace": f"space-{n % 20}", "uid": f"uid-{n}",
            "resourceVersion": str(n), "creationTimestamp": time_of, "labels": {"app": "web"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d",
                                 "uid": "r", "controller": True}],
        },
        "spec": {
            "nodeName": f"node-{n % 100}", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "schedulerName": "default-scheduler",
            "volumes": [{"name": "token", "emptyDir": {}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists",
                             "effect": "NoExecute", "tolerationSeconds": 300}],
            "containers": [{
                "name": "web", "image": "registry.example.com/web:1.4",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}},
                "volumeMounts": [{"name": "token", "mountPath": "/var/run/x", "readOnly": True}],
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                                  "periodSeconds": 10},
            }],
        },
        "status": {
            "phase": "Running", "hostIP": "10.0.0.1", "podIP": f"10.244.{n // 250}.{n % 250}",
            "startTime": time_of, "qosClass": "Burstable",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": time_of}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [{
                "name": "web", "ready": True, "restartCount": n % 3, "started": True,
                "image": "registry.example.com/web:1.4", "imageID": f"sha256:{n:064x}",
                "state": {"running": {"startedAt": time_of}}, "lastState": {},
            }],
        },
    }  # fmt: skip
