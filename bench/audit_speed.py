"""The audit record: what writing costs, pages at many events against 10,000, and verifying.

Pages are measured as the page's own code finds them (filter and rows), not as HTML.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench import audit_rows
from bench.console import Console
from bench.report import Result

NAME = "audit"
TITLE = "The audit record: pages, writing and verifying"
FEW, NEW, RECORDS = 10_000, 50, 200
WRITERS, EACH = 4, 250
MOST_TIMES, MOST_SHARE, MOST_PROOF = 3, 0.01, 4096
AIM = (
    f"pages at most {MOST_TIMES} times those at {FEW:,} events, verifying {NEW} new ones at most "
    f"{MOST_SHARE:.0%} of verifying all, a proof at most {MOST_PROOF} bytes"
)
PAGES: Mapping[str, Mapping[str, str]] = {
    "first": {},
    "last": {"before": "end"},
    "who": {"who": "Person-7"},
    "who, last": {"who": "person-7", "before": "end"},
    "rare person": {"who": audit_rows.RARE_PERSON},
    "action": {"action": "host.added"},
    "object": {"object": "provisioning.host/7"},
    "outcome": {"outcome": "failure"},
    "cluster": {"cluster": "cluster-7"},
    "tenant": {"tenant": "tenant-7"},
    "address": {"address": "10.0.7.8"},
    "first hours": {"until": "2025-01-01T03:00:00Z"},
    "first hours, last": {"until": "2025-01-01T03:00:00Z", "before": "end"},
    "who and hours": {"who": "person-7", "until": "2025-01-01T05:00:00Z"},
    "who and action": {"who": "person-7", "action": "host.changed"},
    "text": {"q": "host-77-"},
    "text that is nowhere": {"q": "nowhere"},
}
# These stop when their time is up and say so: their bound is that time, no ratio.
SEARCHES = ("who and action", "text", "text that is nowhere")
WRITER = """
import django, sys, time
django.setup()
from console.audit.record import record
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(int(sys.argv[1])):
    record("host.added", object_name=f"host-{number}", after={"name": f"host-{number}"})
"""


def measure(running: Console, rounds: int, events: int) -> Result:
    """Fill twice, measure at both sizes; writers last, so that they disturb nothing."""
    from django.db import connection

    result = Result(NAME, TITLE, AIM)
    audit_rows.fill(FEW)
    few = _pages(rounds)
    begin = time.perf_counter()
    audit_rows.fill(events)
    result.add("made", f"{events:,} events in {time.perf_counter() - begin:.0f} s")
    many = _pages(rounds)
    times = {name: many[name] / few[name] for name in PAGES}
    for name, ratio in times.items():
        told = f"{ratio:.2f} times ({few[name] * 1000:.1f} and {many[name] * 1000:.1f} ms)"
        result.add(f"page: {name}", told)
    share = _verify(result)
    size = _proof(result, events)
    _writing(running, result)
    worst = max(ratio for name, ratio in times.items() if name not in SEARCHES)
    result.figure = f"{worst:.2f} times; {share:.3%}; {size} bytes"
    result.met = worst <= MOST_TIMES and share <= MOST_SHARE and size <= MOST_PROOF
    result.notes.append(f"Measured on {connection.vendor}.")
    if connection.vendor != "postgresql":
        result.notes.append("PostgreSQL was NOT measured: the bench's console runs on SQLite.")
    result.data = {"events": events, "few": few, "many": many, "share": share, "proof": size}
    return result


def _pages(rounds: int) -> dict[str, float]:
    """Median seconds of processor time of each page."""
    return {name: statistics.median(_page(query, rounds)) for name, query in PAGES.items()}


def _page(query: Mapping[str, str], rounds: int) -> list[float]:
    from django.test import RequestFactory

    from console.audit import lookback
    from console.audit.filters import AuditEventFilter
    from console.audit.models import AuditEvent
    from console.ui.lists import keyset

    took = []
    for _round in range(rounds + 1):
        request = RequestFactory().get("/audit/", query)
        begin = time.process_time()
        found = AuditEventFilter(request.GET, queryset=AuditEvent.objects.all())
        if found.is_valid() and found.searches:
            lookback.page(request, found.qs)
        else:
            keyset(request, found.qs, ends=True)
        took.append(time.process_time() - begin)
    return took[1:]


def _verify(result: Result) -> float:
    """The share of all that verifying NEW events more takes."""
    from console.audit import sealing
    from console.audit.record import record
    from console.audit.verifying import verify

    begin = time.process_time()
    whole = verify()
    full = time.process_time() - begin
    for number in range(NEW):
        record("host.added", object_name=f"new-{number}")
    sealing.seal()
    sealing.checkpoint(force=True)
    begin = time.process_time()
    some = verify(whole.proved)
    took = time.process_time() - begin
    if whole.findings or some.findings or some.size - some.start != NEW:
        raise AssertionError(f"verifying found {[*whole.findings, *some.findings][:3]}")
    result.add("verifying all", f"{whole.size / full:,.0f} events a second of processor time")
    result.add(f"verifying {NEW} new", f"{took / full:.3%} of all")
    return took / full


def _proof(result: Result, events: int) -> int:
    from console.audit.tree import Hashes

    proof = Hashes().inclusion(events // 2, events)
    size = len(json.dumps([value.hex() for value in proof]))
    result.add("proof of one event", f"{len(proof)} hashes, {size} bytes as hex in JSON")
    return size


def _writing(running: Console, result: Result) -> None:
    import subprocess

    from django.db import connection, transaction

    from console.accounts.models import User
    from console.audit.record import record

    user = User.objects.create(username="bench-audit")
    took: dict[bool, float] = {}
    for with_event in (False, True):
        begin = time.process_time()
        for number in range(RECORDS):
            with transaction.atomic():
                user.first_name = str(number)
                user.save(update_fields=["first_name"])
                if with_event:
                    record("user.changed", user, after={"first_name": user.first_name})
        took[with_event] = (time.process_time() - begin) / RECORDS
    added = took[True] - took[False]
    told = f"{added * 1000:.2f} ms of processor time added, {took[True] / took[False]:.1f} times"
    result.add("a change with its event", told)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(EACH)], env=running.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _number in range(WRITERS)
    ]  # fmt: skip
    pipes: Any = [(one.stdin, one.stdout) for one in writers]
    for _stdin, stdout in pipes:
        stdout.readline()
    begin = time.perf_counter()
    for stdin, _stdout in pipes:
        stdin.write("go\n")
        stdin.close()
    codes = [one.wait() for one in writers]
    rate = WRITERS * EACH / (time.perf_counter() - begin)
    failed = f", {sum(code != 0 for code in codes)} writers failed" if any(codes) else ""
    result.add(f"{WRITERS} writers", f"{rate:.0f} events a second on {connection.vendor}{failed}")
