"""Custom kinds as people see them, and rows that appear by themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def ids(console: Console) -> tuple[str, str]:
    """The numbers of a cluster with watched kinds, and of one before the choice."""
    used, fresh = str(console.run("tests.browser.kinds_scene")).split()
    return used, fresh


PAGES = {
    "tab": "/clusters/{0}/kinds/",
    "choose": "/clusters/{0}/kinds/choose/",
    "empty": "/clusters/{1}/kinds/",
    "waiting": "/clusters/{1}/kinds/choose/",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_fit_and_are_accessible(open_page: Open, ids: tuple[str, str], name: str) -> None:
    check_page(open_page, PAGES[name].format(*ids), f"kinds-{name}")


def test_a_row_appears_at_once_by_the_websocket(
    open_page: Open, ids: tuple[str, str], console: Console
) -> None:
    frames: list[str] = []

    def listen(page: Page) -> None:
        page.on("websocket", lambda s: s.on("framereceived", lambda text: frames.append(str(text))))

    page = open_page(PAGES["tab"].format(*ids), prepare=listen)
    page.get_by_text("Which, and why").click()
    expect(page.get_by_text("web-tls")).to_be_visible()
    page.wait_for_timeout(1500)
    asked = len(frames)
    # The slow poll alone would look ten seconds after the page was opened, or later.
    console.run("tests.browser.kinds_scene", "move", ids[0])
    expect(page.get_by_text("made-just-now")).to_be_visible(timeout=8000)
    assert len(frames) > asked
    expect(page.locator("details#not-watched")).to_have_attribute("open", "")


def test_without_websockets_the_slow_poll_goes_on(
    open_page: Open, ids: tuple[str, str], console: Console
) -> None:
    def block(page: Page) -> None:
        page.route_web_socket("**/ws/**", lambda socket: socket.close())

    page = open_page(PAGES["tab"].format(*ids), prepare=block)
    console.run("tests.browser.kinds_scene", "remove", ids[0])
    expect(page.get_by_text("web-tls")).to_have_count(0, timeout=20_000)
