"""From a pod's change in a real API server to its row in a list that somebody has open."""

from __future__ import annotations

import random
import shutil
import statistics
import time
from typing import Any

from bench.console import Console
from bench.fleet import p95
from bench.open_log import CHROMIUM, FLAGS
from bench.report import Result, skipped

NAME = "live-rows"
TITLE = "From a change in the API server to the row in an open page"
MOST = 1.0
AIM = f"95 of 100 changes are seen within {MOST:g} s"
PODS, SHOWN = 1000, 50
CHANGES = 60
# Keeps, for each row that shows another number of restarts, the wall clock of the frame in
# which Chromium paints it.
OBSERVER = """() => {
  const known = new Map();
  window.seenRows = [];
  const look = () => {
    for (const row of document.querySelectorAll("table.fl-objects tbody tr")) {
      const name = row.querySelector(".fl-cell-name").textContent.trim();
      const restarts = parseInt(row.querySelector("td[data-label='Restarts']").textContent, 10);
      if (known.get(name) === restarts) continue;
      known.set(name, restarts);
      const mutated = performance.timeOrigin + performance.now();
      requestAnimationFrame(() => window.seenRows.push(
        [name, restarts, performance.timeOrigin + performance.now(), mutated]));
    }
  };
  look();
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""
TAKE = "() => window.seenRows.splice(0)"
CLOCK = "() => performance.timeOrigin + performance.now()"


def measure(console: Console, rounds: int) -> Result:
    """One cluster with 1,000 pods, its first page open in Chromium, one change at a time."""
    from tests.integration import api_server, bulk

    if lacks := api_server.missing():
        return skipped(NAME, TITLE, AIM, lacks)
    program = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if program is None:
        return skipped(NAME, TITLE, AIM, "needs Chromium: apt-get install chromium")
    from bench.inventory import cluster_row, pods_in, wait_until

    with api_server.RealApiServer() as server:
        conn = server.connection()
        bulk.make(conn, bulk.PODS, (bulk.pod(f"p{n:04}") for n in range(PODS)))
        cluster = cluster_row(server, 0)
        watcher = console.start("watcher", "manage.py", "watcher")
        console.web()
        wait_until(lambda: pods_in(cluster) == PODS, watcher)
        site = f"http://127.0.0.1:{console.port}"
        address = f"{site}/clusters/{cluster}/pods/"
        found, apart = _watched(program, site, address, console.cookie(), conn)
    return _result(found, apart)


def _watched(
    program: str, site: str, address: str, cookie: str, conn: Any
) -> tuple[list[dict[str, float]], float]:
    """Every change as the open page shows it, and the seconds by which clocks may be apart."""
    # While it runs, this thread may not ask the database: playwright has an event loop there.
    from playwright.sync_api import sync_playwright

    from tests.integration import bulk

    name, _equals, value = cookie.partition("=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en")
        context.add_cookies([{"name": name, "value": value, "url": site}])
        page = context.new_page()
        with page.expect_websocket():
            page.goto(address)
        page.evaluate(OBSERVER)
        page.wait_for_timeout(3000)  # figures and the first frames have settled
        page.evaluate(TAKE)
        apart = _clocks(page)
        found = [_change(page, conn, bulk.PODS, number) for number in range(CHANGES)]
        browser.close()
    return found, apart


def _clocks(page: Any) -> float:
    """By how many seconds the page's clock may be apart from this process's, at most."""
    bounds = []
    for _round in range(5):
        before = time.time()
        there = page.evaluate(CLOCK) / 1000
        bounds.append(max(abs(there - before), abs(there - time.time())))
    return min(bounds)


def _change(page: Any, conn: Any, pods: str, number: int) -> dict[str, float]:
    """Restart a pod's container once more; seconds until its row says so."""
    page.wait_for_timeout(random.uniform(200, 1200))
    name, restarts = f"p{number * 7 % SHOWN:04}", number + 1
    status = {
        "name": "web", "image": "registry.example/shop/web:1.2.3", "imageID": "", "ready": True,
        "restartCount": restarts, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }  # fmt: skip
    body = {"status": {"phase": "Running", "containerStatuses": [status]}}
    sent = time.time()
    conn.merge_patch(f"{pods}/{name}/status", body)
    answered = time.time()
    while time.time() < answered + 30:
        for row, shown, painted, mutated in page.evaluate(TAKE):
            if (row, shown) == (name, restarts):
                return {
                    "painted": painted / 1000 - answered,
                    "mutated": mutated / 1000 - answered,
                    "write": answered - sent,
                }
        page.wait_for_timeout(50)
    raise RuntimeError(f"the change of {name} was not seen within 30 s")


def _result(found: list[dict[str, float]], apart: float) -> Result:
    result = Result(NAME, TITLE, AIM)
    painted = [one["painted"] for one in found]
    from_sending = [one["painted"] + one["write"] for one in found]
    for label, values in (
        ("in the page's document", [one["mutated"] for one in found]),
        ("in the frame that paints it", painted),
        ("the same, from the sending of the change", from_sending),
    ):
        result.add(label, _spread(values))
    result.add("the slowest", f"{1000 * max(painted):.0f} ms")
    result.add("clocks of page and bench apart", f"at most {1000 * apart:.0f} ms")
    worst = p95(painted)
    result.figure = _spread(painted)
    result.met = worst <= MOST
    result.data = {"changes": found, "clocks_apart": apart}
    result.notes = ["the API server, etcd, the console and Chromium share this machine"]
    return result


def _spread(values: list[float]) -> str:
    return f"median {1000 * statistics.median(values):.0f} ms, p95 {1000 * p95(values):.0f} ms"
