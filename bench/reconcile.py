"""Tenants' namespaces kept on a real kube-apiserver: nothing to change, and a tenth changed."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench.console import Console
from bench.inventory import cluster_row
from bench.report import Result, skipped

if TYPE_CHECKING:
    from clusters.kube import Connection
    from clusters.models import Cluster

NAME = "reconcile"
TITLE = "1,000 tenants' namespaces on a real kube-apiserver, nothing changed and a tenth changed"
NAMESPACES, CHANGED = 1000, 100
AIM = "no write with nothing to change; with a tenth wished otherwise only those are written"
QUOTA = {"requests.cpu": "2", "requests.memory": "4Gi", "pods": "20"}


def measure(_running: Console, rounds: int) -> Result:
    """Make them, look at them `rounds` times, change a tenth."""
    from clusters.models import Cluster
    from tests.integration import api_server

    if lacks := api_server.missing():
        return skipped(NAME, TITLE, AIM, lacks)
    result = Result(NAME, TITLE, AIM)
    with api_server.RealApiServer() as server:
        cluster = Cluster.objects.get(pk=cluster_row(server, 0))
        _scene(cluster)
        connection = server.connection()
        seconds, calls = _round(cluster, connection)
        result.add("made", f"{seconds:.1f} s, {_told(calls)}")
        idle = [_round(cluster, connection) for _again in range(max(rounds, 1))]
        seconds, calls = sorted(idle, key=lambda one: one[0])[len(idle) // 2]
        result.add("nothing to change", f"{seconds:.2f} s, {_told(calls)}")
        writes = sum(_writes(one) for _seconds, one in idle)
        _wish_otherwise(cluster)
        changed_seconds, changed = _round(cluster, connection)
        result.add(f"{CHANGED} wished otherwise", f"{changed_seconds:.2f} s, {_told(changed)}")
        again = _round(cluster, connection)[1]
    result.figure = (
        f"nothing to change: {seconds:.2f} s, {sum(calls.values())} requests, {writes} writes; "
        f"{CHANGED} changed: {_writes(changed)} writes"
    )
    result.met = writes == 0 and _writes(changed) == CHANGED and _writes(again) == 0
    result.data = {
        "idle_seconds": [one[0] for one in idle], "idle_requests": sum(calls.values()),
        "changed_seconds": changed_seconds, "changed_writes": _writes(changed),
    }  # fmt: skip
    return result


def _round(cluster: Cluster, connection: Connection) -> tuple[float, Counter[str]]:
    """One whole look: its seconds and the requests by method."""
    from tenancy import reconcile
    from tenancy.models import Namespace

    Namespace.objects.update(checked=None)
    calls: Counter[str] = Counter()
    counted = _counting(connection, calls)
    began = time.monotonic()
    reconcile.keep(cluster, counted, lambda: None)
    return time.monotonic() - began, calls


def _counting(connection: Connection, calls: Counter[str]) -> Connection:
    """The same connection, which counts what it sends."""

    class Counted(type(connection)):  # type: ignore[misc]
        def _get(self, *arguments: Any, **more: Any) -> bytes:
            calls["GET"] += 1
            found: bytes = super()._get(*arguments, **more)
            return found

        def _send(self, method: str, *arguments: Any, **more: Any) -> Any:
            calls[method] += 1
            return super()._send(method, *arguments, **more)

    counted: Connection = Counted.__new__(Counted)
    counted.__dict__.update(connection.__dict__)
    return counted


def _writes(calls: Counter[str]) -> int:
    return sum(count for method, count in calls.items() if method != "GET")


def _told(calls: Counter[str]) -> str:
    return ", ".join(f"{count} {method}" for method, count in sorted(calls.items())) or "no request"


def _scene(cluster: Cluster) -> None:
    from tenancy.models import Namespace, Tenant

    tenant = Tenant.objects.create(name="Bench", slug="bench")
    Namespace.objects.bulk_create(
        Namespace(tenant=tenant, cluster=cluster, name=f"bench-{n:04}", quota=QUOTA)
        for n in range(NAMESPACES)
    )


def _wish_otherwise(cluster: Cluster) -> None:
    from django.db.models import F

    from tenancy.models import Namespace

    rows = Namespace.objects.filter(cluster=cluster, name__lt=f"bench-{CHANGED:04}")
    rows.update(quota={**QUOTA, "pods": "30"}, revision=F("revision") + 1, state="pending")
