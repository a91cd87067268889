"""Opening a task with 500,000 lines in a browser: what is sent, and how many rows the page has."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.console import Console
from bench.report import Result, skipped

NAME = "open-log"
LINES = 500_000
MOST_BYTES, MOST_ROWS = 256 * 1024, 2_000
TITLE = f"Opening a task with {LINES:,} lines"
AIM = f"at most {MOST_BYTES // 1024} KiB and {MOST_ROWS:,} rows"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
ROWS = "document.querySelectorAll('[data-log-box] .fl-log-line').length"
SETTLE_MS = 3000


@dataclass
class Traffic:
    """Bytes that came over the network, by what they were for."""

    kinds: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def listen(self, session: Any) -> None:
        """Count what this page gets, as the browser's own network log tells it."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.webSocketFrameReceived", self._frame)
        session.send("Network.enable")

    def _sent(self, event: Any) -> None:
        self.addresses[event["requestId"]] = event["request"]["url"]

    def _finished(self, event: Any) -> None:
        address = self.addresses.get(event["requestId"], "")
        kind = "page"
        if "/static/" in address:
            kind = "static files"
        elif "/api/" in address:
            kind = "log by REST"
        self._add(kind, int(event["encodedDataLength"]))

    def _frame(self, event: Any) -> None:
        self._add("websocket", len(event["response"]["payloadData"].encode()))

    def _add(self, kind: str, size: int) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + size

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.kinds.values())


def measure(console: Console, rounds: int) -> Result:
    """Open the page with empty caches, then again; then go through the log."""
    program = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if program is None:
        return skipped(NAME, TITLE, AIM, "needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    task_id = _long_task()
    cookie_name, _, cookie = console.cookie().partition("=")
    console.web()
    site = f"http://127.0.0.1:{console.port}"
    page_address = f"{site}/tasks/{task_id}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": cookie_name, "value": cookie, "url": site}])
        cold, cold_ms, rows = _open(context, page_address)
        warm, warm_ms, more = _open(context, page_address)
        walked = _walk(context, page_address)
        browser.close()
    return _result(cold, warm, (cold_ms, warm_ms), max(rows, more), walked)


def _long_task() -> int:
    """A task that has ended with LINES lines; written as the log's writer writes them."""
    from django.utils import timezone

    from provisioning import logs
    from provisioning.models import LogChunk, Task, TaskStatus

    now = timezone.now()
    task = Task.objects.create(
        operation="bench_lines", title="Long", status=TaskStatus.SUCCEEDED, last_seq=LINES,
        started=now, ended=now, attempt=1,
    )  # fmt: skip
    moment = datetime.now(UTC)
    lines = (
        logs.Line(
            n, logs.wire_line(n, moment, "node1", "write", "stdout", f"line {n}: " + "x" * 80)
        )
        for n in range(1, LINES + 1)
    )
    LogChunk.objects.bulk_create(
        (
            LogChunk(task=task, first=g[0].seq, last=g[-1].seq, body=",".join(x.wire for x in g))
            for g in logs.chunked(lines)
        ),
        batch_size=100,
    )
    return int(task.pk)


def _open(context: Any, address: str) -> tuple[Traffic, float, int]:
    page = context.new_page()
    traffic = Traffic()
    traffic.listen(context.new_cdp_session(page))
    begin = time.perf_counter()
    answer = page.goto(address)
    if answer is None or not answer.ok:
        raise RuntimeError(f"{address} answers {answer.status if answer else 'nothing'}")
    last = page.locator("[data-log-box] .fl-log-line", has_text=f"line {LINES - 1}:")
    last.first.wait_for(state="attached")
    took = (time.perf_counter() - begin) * 1000
    page.wait_for_timeout(SETTLE_MS)  # whatever else it fetches by itself counts too
    rows = page.evaluate(ROWS)
    page.close()
    return traffic, took, rows


def _walk(context: Any, address: str) -> int:
    """The most rows that the page ever has on the way to the first line and back."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(1000)
    page.focus("[data-log-box]")
    most = 0
    for key in ["PageUp"] * 20 + ["Home"] + ["PageDown"] * 10 + ["End"]:
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        most = max(most, page.evaluate(ROWS))
    page.close()
    return most


def _result(
    cold: Traffic, warm: Traffic, times: tuple[float, float], rows: int, walked: int
) -> Result:
    result = Result(NAME, TITLE, AIM)
    for label, traffic in (("empty caches", cold), ("static files cached", warm)):
        parts = ", ".join(f"{k} {v / 1024:.1f}" for k, v in sorted(traffic.kinds.items()))
        result.add(f"sent with {label}", f"{traffic.total / 1024:.1f} KiB ({parts})")
    result.add("until the last lines are seen", f"{times[0]:.0f} ms, cached {times[1]:.0f} ms")
    result.add("rows when it has opened", str(rows))
    result.add("most rows while going through it", str(walked))
    own = cold.total - cold.kinds.get("static files", 0)
    result.add("of the task itself, without static files", f"{own / 1024:.1f} KiB")
    result.figure = f"{cold.total / 1024:.0f} KiB, {max(rows, walked)} rows"
    result.met = cold.total <= MOST_BYTES and max(rows, walked) <= MOST_ROWS
    result.data = {"cold": cold.kinds, "warm": warm.kinds, "rows": rows, "walked": walked}
    return result
