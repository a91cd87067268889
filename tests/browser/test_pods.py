"""Logs and terminals of pods in a real browser, against a scripted API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_log_viewer import until
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import ExecEndpoint, LogEndpoint, pod, pod_path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STATE = "[data-log-state]"
BOX = "[data-log-box]"


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """How fast a machine is that does much else says nothing of the pages."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@dataclass
class Scene:
    """A cluster with a Deployment of two pods, one of them with two containers."""

    server: ApiServer
    cluster: int
    web: LogEndpoint
    two: LogEndpoint
    shell: ExecEndpoint

    def address(self, last: str, name: str = "web", resource: str = "pods") -> str:
        return f"/clusters/{self.cluster}/objects/{resource}/default/{name}/{last}"


@pytest.fixture
def scene(console: Console, tmp_path, request) -> Iterator[Scene]:
    with ApiServer() as server:
        certificate, key = server.authority.client()
        file = tmp_path / "scene.json"
        given = {
            "name": re.sub("[^a-z]+", "-", request.node.name)[:40],
            "endpoint": server.endpoint, "ca": server.authority.crt, "certificate": certificate,
            "key": key, "pods": {"web": ["main", "side-car"], "web2": ["main"]},
        }  # fmt: skip
        file.write_text(json.dumps(given))
        cluster = int(console.run("tests.browser.pods_scene", str(file)))
        server.paths[pod_path("web")], server.paths[pod_path("web2")] = pod(), pod("web2")
        yield Scene(
            server, cluster, LogEndpoint(server), LogEndpoint(server, "web2"), ExecEndpoint(server)
        )


def texts(page: Page) -> list[str]:
    return page.locator(".fl-log-rows .fl-log-text").all_inner_texts()


def held(page: Page) -> list[str]:
    """All lines that the page holds."""
    return page.evaluate("document.querySelector('#pod-log').podLog.lines.all.map(l => l.text)")


def test_the_log_is_followed_merged_coloured_and_is_text(scene: Scene, open_page: Open) -> None:
    scene.web.write("\x1b[32mok\x1b[0m one", "<script>document.title='broken'</script>")
    scene.web.write("from the side", container="side-car")
    page = open_page(scene.address("log/"))
    expect(page.locator(STATE)).to_have_text("Live")
    expect(page.locator(".fl-log-line")).to_have_count(3)
    scene.web.write("three 鯨")
    expect(page.locator(".fl-log-line").last).to_contain_text("three 鯨")
    expect(page.locator(".ansi-f2").first).to_have_text("ok")
    assert page.locator(".fl-log-box script").count() == 0 and "broken" not in page.title()
    names = page.locator(".fl-log-rows .fl-log-host")
    assert set(names.all_inner_texts()) == {"main", "side-car"}
    expect(names.first).to_have_class(re.compile("fl-log-tone0"))
    page.locator("[data-log-times]").check()
    expect(page.locator(".fl-log-time").first).to_contain_text("2026-01-02 03:04:05.0")


def test_it_pauses_filters_and_wraps(scene: Scene, open_page: Open) -> None:
    scene.web.write(*(f"line {n} " + "word " * 80 for n in range(300)))
    page = open_page(scene.address("log/"))
    expect(page.locator(STATE)).to_have_text("Live")
    expect(page.locator(".fl-log-line").last).to_contain_text("line 299")
    page.locator(BOX).hover()
    page.mouse.wheel(0, -2000)
    expect(page.locator(STATE)).to_have_text("Paused")
    scene.web.write("new one", "new two")
    button = page.locator("[data-log-new]")
    expect(button).to_have_text("2 new lines")
    button.click()
    expect(page.locator(".fl-log-line").last).to_contain_text("new two")
    page.locator("[data-log-text]").fill("NEW")
    until(page, "document.querySelectorAll('.fl-log-rows .fl-log-line').length === 2")
    scene.web.write("nothing of it", "new three")
    expect(page.locator(".fl-log-line")).to_have_count(3)
    page.locator("[data-log-text]").fill("")
    page.locator("[data-log-wrap]").check()
    expect(page.locator(".fl-log-wrapped .fl-log-line").last).to_contain_text("new three")
    box = page.locator(BOX)
    assert box.evaluate("b => b.scrollWidth <= b.clientWidth + 1")


def test_a_lost_connection_loses_and_doubles_nothing(scene: Scene, open_page: Open) -> None:
    scene.web.write(*(f"line {n}" for n in range(20)))
    page = open_page(scene.address("log/"))
    expect(page.locator(STATE)).to_have_text("Live")
    for start in (20, 30, 40):
        page.evaluate("document.querySelector('#pod-log').podLog.source.webSocket.close()")
        scene.web.write(*(f"line {n}" for n in range(start, start + 10)))
        until(page, f"document.querySelector('#pod-log').podLog.lines.count >= {start + 10}")
    assert held(page) == [f"line {n}" for n in range(50)]


def test_a_workload_shows_all_its_pods_by_name(scene: Scene, open_page: Open) -> None:
    scene.web.write("from web")
    scene.two.write("from web2")
    page = open_page(scene.address("log/", "shop", "deployments.apps"))
    expect(page.locator(STATE)).to_have_text("Live")
    expect(page.locator(".fl-log-line")).to_have_count(2)
    names = page.locator(".fl-log-rows .fl-log-host").all_inner_texts()
    assert sorted(names) == ["web/main", "web2/main"]


def test_a_restart_and_the_end_are_said(scene: Scene, open_page: Open) -> None:
    scene.web.write("first life")
    page = open_page(scene.address("log/?container=main"))
    expect(page.locator(STATE)).to_have_text("Live")
    page.wait_for_timeout(300)
    ended = {"reason": "OOMKilled", "exitCode": 137}
    scene.server.paths[pod_path("web")] = pod(terminated=ended, policy="Never")
    scene.web.end()
    expect(page.locator(".fl-log-note")).to_contain_text("has ended · OOMKilled · exit code 137")
    expect(page.locator(STATE)).to_have_text("Ended")


def test_it_is_of_use_without_a_script(scene: Scene, open_page: Open) -> None:
    scene.web.write("readable")
    page = open_page(scene.address("log/"), java_script_enabled=False)
    expect(page.locator(".fl-log-line")).to_contain_text("readable")
    expect(page.get_by_role("button", name="Show")).to_be_visible()


def screen(page: Page) -> str:
    return page.locator(".xterm-rows").inner_text().replace("\xa0", " ")


def wait_for_screen(page: Page, text: str) -> None:
    expect(page.locator(".xterm-rows")).to_contain_text(text)


def test_a_terminal_types_resizes_and_ends(scene: Scene, open_page: Open) -> None:
    page = open_page(scene.address("terminal/"))
    state = page.locator("[data-terminal-state]")
    expect(state).to_have_text("Connected")
    wait_for_screen(page, "$")
    expect(page.get_by_role("link", name="Clusters").first).to_be_visible()
    page.keyboard.type("size\r")
    until(page, "document.querySelector('[data-terminal]').page.terminal.cols > 100")
    columns, rows = scene.shell.sizes[-1]
    wait_for_screen(page, f"{rows} {columns}")
    page.set_viewport_size({"width": 800, "height": 700})
    page.wait_for_timeout(300)
    assert scene.shell.sizes[-1][0] < columns
    # The page's policy allows no inline style: colours are there all the same.
    page.keyboard.type("colours\r")
    red = page.locator(".xterm-rows span", has_text="red").last
    assert red.evaluate("e => getComputedStyle(e).color") == "rgb(179, 33, 46)"
    true = page.locator(".xterm-rows span", has_text=re.compile("^true$")).last
    assert "rgb" in (true.evaluate("e => e.style.color") or "")
    assert page.locator(".xterm-rows script").count() == 0
    page.keyboard.type("exit 4\r")
    expect(state).to_have_text("Ended")
    expect(page.locator("[data-terminal-notice]")).to_contain_text("exit code 4")
    page.get_by_role("button", name="Connect again").click()
    expect(state).to_have_text("Connected")


def test_a_terminal_that_prints_without_end_stays_usable(scene: Scene, open_page: Open) -> None:
    page = open_page(scene.address("terminal/"))
    expect(page.locator("[data-terminal-state]")).to_have_text("Connected")
    page.keyboard.type("yes\r")
    wait_for_screen(page, "y")
    page.wait_for_timeout(1500)
    scene.shell.stop = True
    page.keyboard.type("size\r")
    until(page, "document.querySelector('.xterm-rows').innerText.includes('$')")
    # What was sent was drawn: the server never ran ahead of the browser.
    assert page.evaluate("document.querySelector('[data-terminal]').page.drawn") > 16


def test_paste_and_the_way_out_by_keyboard(scene: Scene, open_page: Open) -> None:
    page = open_page(scene.address("terminal/"))
    expect(page.locator("[data-terminal-state]")).to_have_text("Connected")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "echo pasted".repeat(4000));
          const target = document.querySelector(".xterm-helper-textarea");
          target.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        }"""
    )
    for _try in range(100):
        if len(scene.shell.typed) == 44_000:
            break
        page.wait_for_timeout(50)
    assert scene.shell.typed == b"echo pasted" * 4000
    page.keyboard.press("Control+Shift+F6")
    expect(page.locator("select[name=container]")).to_be_focused()


def test_a_refusal_of_the_cluster_is_shown(scene: Scene, open_page: Open) -> None:
    scene.shell.refuses = (403, "pods/exec is forbidden")
    page = open_page(scene.address("terminal/"))
    expect(page.locator("[data-terminal-alert]")).to_contain_text("pods/exec is forbidden")
    expect(page.locator("[data-terminal-state]")).to_have_text("Not connected")
