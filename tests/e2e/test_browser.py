"""A newcomer's way in a real browser: sign in, create a cluster, watch it, use it, delete it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from console.setup.first_admin import Password, read_password
from tests.e2e.console import ENDED, Console, wait_for
from tests.e2e.faults import named

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

SHOTS = os.environ.get("FLOTILLA_SCREENSHOTS")
ASLEEP_SECONDS = 60
STATE = "[data-log-state]"
STORE = "document.querySelector('[data-log]').logViewer.store"
# Every line in the order in which the page took it.
WITNESS = """() => {
  const source = document.querySelector('[data-log]').logViewer.source;
  const taken = source.on.lines;
  window.taken = [];
  for (let n = 1; n <= source.store.live; n += 1) window.taken.push(source.store.get(n)?.seq ?? 0);
  window.heard = [Date.now()];
  source.on.lines = (fresh) => {
    window.heard.push(Date.now());
    window.taken.push(...fresh.map((l) => l.seq));
    taken(fresh);
  };
}"""


@pytest.fixture(scope="module")
def first(chromium: Browser, console: Console) -> Iterator[Page]:
    """The page of a person who has just signed in as the first admin; complaints fail."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    sign_in(page, console)
    yield page
    assert complaints == []
    context.close()


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def password(console: Console) -> str:
    known, name, found = read_password(console.data)
    assert (known, name) == (Password.KNOWN, "admin")
    return found


def sign_in(page: Page, console: Console) -> None:
    page.goto(console.url)
    expect(page.locator("h1")).to_have_text("Sign in")
    shot(page, "01-sign-in")
    page.fill("#id_username", "admin")
    page.fill("#id_password", password(console))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{console.url}/")
    shot(page, "02-overview")


def confirm_if_asked(page: Page, console: Console) -> None:
    if "confirm-password" in page.url:
        page.get_by_label("Password").fill(password(console))
        page.get_by_role("button", name="Confirm").click()


def create_through_the_page(page: Page, console: Console, name: str) -> int:
    """Fill in the form, look at the plan, launch; the number of the task it leads to."""
    page.goto(f"{console.url}/clusters/")
    page.get_by_role("link", name="Create cluster").first.click()
    page.fill("#id_name", name)
    version = page.locator("#id_release option", has_text="v1.20.2").get_attribute("value")
    page.select_option("#id_release", version)
    page.get_by_label("Role of node1").select_option("control_plane")
    page.get_by_label("Role of node2").select_option("worker")
    shot(page, "03-create")
    page.get_by_role("button", name="Review the plan").click()
    review = page.locator("#review")
    for words in ("node1", "node2", "kube-apiserver"):
        expect(review).to_contain_text(words)
    assert "PRIVATE KEY" not in page.content()
    assert not named(console, name)
    shot(page, "04-plan")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(f"{console.url}/tasks/*/")
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def held(page: Page) -> int:
    return int(page.evaluate(f"{STORE}.live"))


def ready(page: Page) -> None:
    deadline = time.monotonic() + 60
    while not page.evaluate("Boolean(document.querySelector('[data-log]')?.logViewer?.source)"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    page.evaluate(WITNESS)


def watch(page: Page, console: Console, task: int) -> tuple[set[str], set[int]]:
    """Look at the page until the task ends: which phases ran, and how the log grew."""
    phases: set[str] = set()
    counts: set[int] = set()
    while console.task(task)["status"] not in ENDED:
        if page.locator(STATE).inner_text() == "Live":
            counts.add(held(page))
        phases.update(page.locator(".fl-phase-running .fl-phase-title").all_inner_texts())
        if len(phases) == 4 and not counts & {-1}:
            shot(page, "05-running")
            counts.add(-1)
        page.wait_for_timeout(300)
    return phases, counts - {-1}


def every_line_once(page: Page, console: Console, task: int) -> None:
    """The page has the lines that REST has, each taken once and in order."""
    lines = console.lines(task)
    deadline = time.monotonic() + 60
    while held(page) < len(lines):
        assert time.monotonic() < deadline, (held(page), len(lines))
        page.wait_for_timeout(200)
    assert page.evaluate("window.taken") == [line["seq"] for line in lines]
    texts = page.evaluate(
        f"(() => {{ const s = {STORE}; const t = [];"
        " for (let n = 1; n <= s.last; n += 1) t.push(s.get(n)?.text); return t; })()"
    )
    assert texts == [line["text"] for line in lines]
    # It follows the end, and what is drawn has no hole.
    numbers = page.locator(".fl-log-rows .fl-log-number")
    expect(numbers.last).to_have_text(str(len(lines)))
    shown = [int(n) for n in numbers.all_inner_texts()]
    assert shown == list(range(shown[0], shown[0] + len(shown)))


def asleep(page: Page) -> CDPSession:
    """The laptop's lid is shut: no script runs, no network."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    session.send("Network.emulateNetworkConditions", {
        "offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0,
    })  # fmt: skip
    return session


def awake(session: CDPSession) -> None:
    session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
    })  # fmt: skip
    session.send("Page.setWebLifecycleState", {"state": "active"})


@pytest.fixture(scope="module")
def story(first: Page, console: Console) -> Iterator[dict[str, Any]]:
    """A cluster that was created in the browser while three pages looked at it."""
    task = create_through_the_page(first, console, "seen")
    ready(first)
    sleeper = first.context.new_page()
    sleeper.goto(first.url)
    ready(sleeper)
    expect(sleeper.locator(STATE)).to_have_text("Live")
    poller = first.context.new_page()
    poller.add_init_script("window.WebSocket = class { constructor() { throw new Error('no'); } };")
    poller.goto(first.url)
    ready(poller)
    cluster = console.task(task)["cluster"]
    before, began = held(sleeper), time.monotonic()
    lid = asleep(sleeper)
    expect(poller.locator(STATE)).to_have_text("Polling")
    shot(poller, "06-polling")
    phases, counts = watch(first, console, task)
    while time.monotonic() - began < ASLEEP_SECONDS:
        first.wait_for_timeout(500)
    awake(lid)
    yield {
        "task": task, "cluster": cluster, "phases": phases, "counts": counts, "before": before,
        "sleeper": sleeper, "poller": poller,
    }  # fmt: skip
    sleeper.close()
    poller.close()
    if named(console, "seen"):
        console.delete_cluster(cluster)


def test_the_log_arrives_live_and_the_stepper_moves(
    story: dict[str, Any], first: Page, console: Console
) -> None:
    console.wait(story["task"])
    expect(first.locator(STATE)).to_have_text("Ended")
    assert len(story["counts"]) >= 5, "the count of lines grows while the page says Live"
    assert len(story["phases"]) >= 4
    expect(first.locator(".fl-task-status")).to_contain_text("Succeeded")
    expect(first.locator(".fl-phase-running")).to_have_count(0)
    every_line_once(first, console, story["task"])
    shot(first, "07-ended")


def test_a_browser_that_slept_for_a_minute_has_every_line_once(
    story: dict[str, Any], console: Console
) -> None:
    page = story["sleeper"]
    page.bring_to_front()
    expect(page.locator(STATE)).to_have_text("Ended")
    assert story["before"] < len(console.lines(story["task"])) / 2
    every_line_once(page, console, story["task"])
    heard = page.evaluate("window.heard")
    longest = max(b - a for a, b in pairwise(heard)) / 1000
    print(f"asleep for {longest:.1f} s, {len(heard) - 1} batches, {story['before']} lines before")
    assert longest > ASLEEP_SECONDS - 5
    expect(page.locator(".fl-task-status")).to_contain_text("Succeeded")


def test_where_websockets_are_blocked_the_page_polls_and_has_every_line_once(
    story: dict[str, Any], console: Console
) -> None:
    page = story["poller"]
    page.bring_to_front()
    expect(page.locator(STATE)).to_have_text("Ended")
    every_line_once(page, console, story["task"])


def test_the_cluster_is_active_and_its_nodes_are_ready(
    story: dict[str, Any], first: Page, console: Console
) -> None:
    first.goto(f"{console.url}/clusters/{story['cluster']}/")
    expect(first.locator(".fl-cluster-head")).to_contain_text("Active")
    shot(first, "08-cluster")
    first.locator("a.nav-link", has_text="Nodes").click()
    rows = first.locator(".fl-stack tbody tr")
    expect(rows).to_have_count(2)
    for name in ("node1", "node2"):
        expect(rows.filter(has_text=name).locator("[data-label=Status]")).to_have_text("Ready")
    shot(first, "09-nodes")


def kubectl(binaries: Path, kubeconfig: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [binaries / "kubectl", "--kubeconfig", kubeconfig, *arguments, "-o", "json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_downloaded_kubeconfig_works_and_a_pod_runs_on_the_worker(
    story: dict[str, Any], first: Page, console: Console, binaries: Path, tmp_path: Path
) -> None:
    first.goto(f"{console.url}/clusters/{story['cluster']}/")
    first.get_by_role("link", name="Kubeconfig").click()
    confirm_if_asked(first, console)
    shot(first, "10-kubeconfig")
    with first.expect_download() as found:
        first.get_by_role("button", name="Download kubeconfig").click()
    assert found.value.suggested_filename.endswith(".yaml")
    path = tmp_path / "config"
    shutil.copy(found.value.path(), path)
    nodes = kubectl(binaries, path, "get", "nodes")["items"]
    ready = {
        n["metadata"]["name"]: c["status"]
        for n in nodes for c in n["status"]["conditions"] if c["type"] == "Ready"
    }  # fmt: skip
    assert ready == {"node1": "True", "node2": "True"}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "seen", "namespace": "default"},
        "spec": {
            "nodeName": "node2",
            "containers": [{
                "name": "seen", "image": "flotilla.dev/lab/busybox:1", "command": ["sleep", "600"],
            }],
        },
    }  # fmt: skip
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps(pod))
    kubectl(binaries, path, "apply", "-f", str(manifest))

    def running() -> bool:
        status = kubectl(binaries, path, "get", "pod", "seen", "-n", "default")["status"]
        return bool(status["phase"] == "Running")

    wait_for(running, 90, "the pod runs on the worker")


def test_deleting_by_name_frees_the_hosts(
    story: dict[str, Any], first: Page, console: Console
) -> None:
    first.goto(f"{console.url}/clusters/{story['cluster']}/")
    first.get_by_role("link", name="Delete").click()
    confirm_if_asked(first, console)
    first.get_by_label("Type").fill("sen")
    first.get_by_role("button", name="Delete cluster").click()
    expect(first.locator("main")).to_contain_text("This is not the name")
    shot(first, "11-delete")
    first.get_by_label("Type").fill("seen")
    first.get_by_role("button", name="Delete cluster").click()
    first.wait_for_url(f"{console.url}/tasks/*/")
    ready(first)
    task = int(first.url.rstrip("/").rsplit("/", 1)[1])
    console.wait(task)
    expect(first.locator(STATE)).to_have_text("Ended")
    expect(first.locator(".fl-task-status")).to_contain_text("Succeeded")
    every_line_once(first, console, task)
    shot(first, "12-deleted")
    first.goto(f"{console.url}/hosts/")
    for name in ("node1", "node2"):
        row = first.locator("tbody tr").filter(has_text=name)
        expect(row).not_to_contain_text("seen")
    shot(first, "13-hosts")
    assert not named(console, "seen")
    hosts = {h["name"]: h for h in console.get("hosts/")["results"]}
    assert hosts["node1"]["cluster"] is None and hosts["node2"]["cluster"] is None
