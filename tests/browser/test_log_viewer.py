"""The live log: nothing lost, doubled or out of order; small whatever the log's size."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

STATE = "[data-log-state]"
BOX = "[data-log-box]"


def scene(console: Console, *words: object) -> str:
    return console.run("tests.browser.scene", *map(str, words))


def shown(page: Page) -> list[int]:
    """The numbers of the rows in the document, from top to bottom."""
    return [int(n) for n in page.locator(".fl-log-rows .fl-log-number").all_inner_texts()]


def held(page: Page) -> list[int]:
    """live, last and how many lines the page holds."""
    return page.evaluate(
        "(() => { const s = document.querySelector('[data-log]').logViewer.store;"
        " return [s.live, s.last, s.size]; })()"
    )


def until(page: Page, expression: str, seconds: float = 30) -> None:
    """Wait for a JavaScript expression to become true (wait_for_function needs eval)."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)


def wait_for_line(page: Page, number: int) -> None:
    until(page, f"document.querySelector('[data-log]').logViewer?.store.live >= {number}")


def filled(page: Page) -> None:
    """Wait until every row that is drawn has its line."""
    page.wait_for_timeout(100)
    until(page, "!document.querySelector('.fl-log-line[data-empty]')")


def test_a_huge_log_opens_small(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 500_000, "succeeded")
    received: list[int] = []

    def count(page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.loadingFinished", lambda e: received.append(int(e["encodedDataLength"]))
        )

    page = open_page(f"/tasks/{task}/", prepare=count)
    expect(page.locator(STATE)).to_have_text("Ended")
    expect(page.locator(".fl-log-line").last).to_contain_text("500000")
    assert sum(received) <= 256 * 1024
    assert page.locator(".fl-log-line").count() <= 2000
    # From one end to the other and to the middle: never more rows, always the right ones.
    page.locator(BOX).focus()
    page.keyboard.press("Home")
    expect(page.locator(".fl-log-line").first).to_contain_text("line 1")
    assert shown(page)[0] == 1
    page.locator(BOX).evaluate("box => { box.scrollTop = box.scrollHeight / 2; }")
    filled(page)
    numbers = shown(page)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert 240_000 < numbers[0] < 260_000
    assert page.locator(".fl-log-line").count() <= 2000
    page.keyboard.press("End")
    expect(page.locator(".fl-log-line").last).to_contain_text("500000")


def test_it_follows_until_one_scrolls(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 300, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    scene(console, "write", task, 50, 0.5)
    wait_for_line(page, 350)
    expect(page.locator(".fl-log-line").last).to_contain_text("350")
    page.locator(BOX).hover()
    page.mouse.wheel(0, -2000)
    expect(page.locator(STATE)).to_have_text("Paused")
    top = page.locator(BOX).evaluate("box => box.scrollTop")
    scene(console, "write", task, 40, 0.4)
    button = page.locator("[data-log-new]")
    expect(button).to_have_text("40 new lines")
    assert page.locator(BOX).evaluate("box => box.scrollTop") == top
    button.click()
    expect(page.locator(".fl-log-line").last).to_contain_text("390")
    expect(page.locator(STATE)).to_have_text("Live")
    expect(button).to_be_hidden()


def test_space_pauses_and_slash_goes_to_the_filter(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 100, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    page.locator(BOX).focus()
    page.keyboard.press("Space")
    expect(page.locator(STATE)).to_have_text("Paused")
    page.keyboard.press("Space")
    expect(page.locator(STATE)).to_have_text("Live")
    page.keyboard.press("/")
    expect(page.locator("[data-log-text]")).to_be_focused()


def test_output_is_text_and_keeps_its_colours(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 40, "succeeded")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Ended")
    expect(page.locator(".fl-log-line", has_text="<script>").first).to_be_visible()
    assert page.locator(".fl-log-box script").count() == 0
    assert "broken" not in page.title()
    expect(page.locator(".ansi-f2").first).to_have_text("ok")
    assert "\x1b" not in page.locator(BOX).inner_text()
    # A line that was rewritten shows its last state, and whole on request.
    row = page.locator(".fl-log-line", has_text="progress 100%").first
    assert "10%\n" not in row.inner_text()
    row.get_by_role("button").click()
    expect(page.locator("[data-log-expanded] pre")).to_contain_text("progress 10%")


def test_a_lost_connection_loses_and_doubles_nothing(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 150, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    writer = console.spawn("tests.browser.scene", "write", task, "3000", "4")
    for _cut in range(3):
        page.wait_for_timeout(700)
        page.evaluate("document.querySelector('[data-log]').logViewer.source.webSocket?.close()")
    assert writer.wait(timeout=60) == 0
    scene(console, "end", task)
    wait_for_line(page, 3150)
    expect(page.locator(STATE)).to_have_text("Ended")
    live, last, size = held(page)
    assert (live, last, size) == (3150, 3150, 3150)
    expect(page.locator(".fl-log-line").last).to_contain_text("3150")


def test_it_polls_where_websockets_are_blocked(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 20, "running")
    blocked = "window.WebSocket = class { constructor() { throw new Error('blocked'); } };"
    page = open_page(f"/tasks/{task}/", prepare=lambda page: page.add_init_script(blocked))
    expect(page.locator(STATE)).to_have_text("Polling", timeout=15_000)
    scene(console, "write", task, 30, 0.3)
    wait_for_line(page, 50)
    scene(console, "end", task)
    expect(page.locator(STATE)).to_have_text("Ended", timeout=15_000)
    expect(page.locator(".fl-log-line").last).to_contain_text("50")


def test_a_hole_in_the_stream_is_asked_for_again(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 20, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    # What a faulty proxy might do: a frame is lost, the next one arrives.
    page.evaluate(
        """() => {
          const source = document.querySelector('[data-log]').logViewer.source;
          const lost = {seq: 99, time: '', host: '', step: '', stream: '', text: 'too early'};
          source.webSocket.dispatchEvent(
            new MessageEvent('message', {data: JSON.stringify({lines: [lost]})}));
        }"""
    )
    scene(console, "write", task, 100, 0.5)
    wait_for_line(page, 120)
    assert held(page) == [120, 120, 120]
    expect(page.locator(BOX)).not_to_contain_text("too early")


def test_a_tab_that_slept_catches_up(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 60, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    # Asleep: the connection is dead without a word, and no timer runs.
    page.evaluate(
        "() => { const s = document.querySelector('[data-log]').logViewer.source;"
        " s.webSocket.close(); s.webSocket = null; clearTimeout(s.timer); }"
    )
    scene(console, "write", task, 4000, 0.5)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_for_line(page, 4060)
    expect(page.locator(".fl-log-line").last).to_contain_text("4060")
    expect(page.locator(STATE)).to_have_text("Live")
    # What was passed over is there when one looks.
    page.locator(BOX).focus()
    page.keyboard.press("Home")
    filled(page)
    page.locator(BOX).evaluate("box => { box.scrollTop = 2000 * 20; }")
    filled(page)
    numbers = shown(page)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_filters_search_the_whole_log(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 20_000, "succeeded")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Ended")
    page.locator("[data-log-text]").fill("line 777")
    expect(page.locator(".fl-log-line").first).to_contain_text("line 777")
    assert 777 in shown(page)
    assert all("777" in text for text in page.locator(".fl-log-text").all_inner_texts())
    page.locator("[data-log-text]").fill("no such words anywhere")
    expect(page.locator("[data-log-nothing]")).to_be_visible()
    page.locator("[data-log-clear]").click()
    page.locator("[data-log-host]").select_option("host2")
    expect(page.locator(".fl-log-host").first).to_have_text("host2")
    assert set(page.locator(".fl-log-host").all_inner_texts()) == {"host2"}


def test_a_cell_of_the_grid_filters_the_log(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 200, "running")
    page = open_page(f"/tasks/{task}/")
    expect(page.locator(STATE)).to_have_text("Live")
    page.locator(".fl-cell-running").first.click()
    expect(page.locator("[data-log-step]")).to_have_value("containerd")
    expect(page.locator("[data-log-host]")).to_have_value("host1")


def test_a_line_has_an_address(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 5000, "succeeded")
    page = open_page(f"/tasks/{task}/#L1234")
    row = page.locator(".fl-log-marked")
    expect(row).to_be_in_viewport()
    expect(row.locator(".fl-log-number")).to_have_text("1234")


def test_the_state_is_live_and_keeps_the_focus(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 10, "running")
    page = open_page(f"/tasks/{task}/")
    cell = page.locator(".fl-cell-running").first
    cell.focus()
    name = cell.get_attribute("id")
    scene(console, "end", task)
    expect(page.locator(".fl-task-status")).to_contain_text("Succeeded", timeout=10_000)
    assert page.evaluate("document.activeElement.id") == name
    assert page.locator("#task-state").get_attribute("hx-get") is None
    expect(page.locator("#announcer")).to_contain_text("Succeeded")


def test_a_restarted_console_is_found_again(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 30, "running")
    page = open_page(f"/tasks/{task}/", complaint="ERR_CONNECTION|WebSocket|htmx:")
    expect(page.locator(STATE)).to_have_text("Live")
    console.stop()
    expect(page.locator(STATE)).to_have_text("Reconnecting", timeout=15_000)
    console.start()
    scene(console, "write", task, 20, 0.2)
    wait_for_line(page, 50)
    expect(page.locator(STATE)).to_have_text("Live", timeout=20_000)
    assert held(page) == [50, 50, 50]


def test_the_download_holds_every_line(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 1200, "succeeded")
    page = open_page(f"/tasks/{task}/")
    answer = page.request.get(f"{console.url}/tasks/{task}/log.txt")
    lines = answer.text().split("\n")[:-1]
    assert len(lines) == 1200
    assert re.fullmatch(r"\S+ host2 containerd .*script.* line 1", lines[0])


def test_a_long_line_is_clipped_and_expands(console: Console, open_page: Open) -> None:
    task = scene(console, "task", 3, "succeeded")
    long = "x" * 8192

    def answer(route: Route) -> None:
        reply = route.fetch()
        body = reply.json()
        for line in body["lines"]:
            line["text"] = long
        route.fulfill(response=reply, json=body)

    page = open_page(
        f"/tasks/{task}/", prepare=lambda page: page.route("**/api/v1/tasks/*/log/*", answer)
    )
    expect(page.locator(STATE)).to_have_text("Ended")
    assert len(page.locator(".fl-log-text").first.inner_text()) < 1100
    page.locator(".fl-log-more").first.click()
    assert page.locator("[data-log-expanded] pre").inner_text() == long
