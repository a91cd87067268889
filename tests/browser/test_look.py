"""What people see: pages in both themes and widths, the shell around them, accessibility."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import ROOT, Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

AXE = (Path(ROOT) / "node_modules/axe-core/axe.min.js").read_text()
PAGES = (
    "/",
    "/clusters/",
    "/clusters/create/",
    "/hosts/",
    "/settings/credentials/",
    "/settings/releases/",
    "/tasks/",
    "/audit/",
    "/audit/proof/",
    "/notices/",
    "/expiry/",
    "/settings/notice-channels/",
    "/settings/notice-channels/add/webhook/",
    "/settings/profile/",
    "/settings/password/",
    "/settings/tokens/",
    "/settings/users/",
    "/settings/confirm-password/",
)


def violations(page: Page) -> list[Any]:
    """What axe finds on the page of serious or critical impact."""
    # Run over the debugging protocol: the page's own policy lets no foreign script in.
    return page.evaluate(
        AXE
        + ";axe.run({resultTypes: ['violations']}).then(r => r.violations"
        + ".filter(v => ['serious', 'critical'].includes(v.impact))"
        + ".map(v => [v.id, v.nodes.map(n => n.html.slice(0, 160))]))"
    )


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def check_all_looks(page: Page, picture: str = "") -> None:
    """Wide and narrow, light and dark: nothing sticks out, nothing is hard to read.

    picture: how the screenshots are called, where FLOTILLA_SCREENSHOTS names a folder for them.
    """
    folder = os.environ.get("FLOTILLA_SCREENSHOTS")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
            page.wait_for_timeout(250)  # colours fade from one theme to the other
            if folder and picture:
                path = f"{folder}/{picture}-{width}-{theme}.png"
                page.screenshot(path=path, full_page=True)
            assert overflow(page) <= 0, (width, theme)
            assert violations(page) == [], (width, theme)


def check_page(open_page: Open, path: str, picture: str = "") -> None:
    """Open a page and check all its looks."""
    page = open_page(path)
    expect(page.locator("h1")).to_be_visible()
    check_all_looks(page, picture)


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_and_are_accessible(open_page: Open, path: str) -> None:
    check_page(open_page, path)


@pytest.mark.parametrize("status", ["running", "failed"])
def test_the_task_page_fits_and_is_accessible(
    console: Console, open_page: Open, status: str
) -> None:
    task = console.run("tests.browser.scene", "task", "80", status)
    page = open_page(f"/tasks/{task}/")
    expect(page.locator("[data-log].fl-log-ready")).to_be_visible()
    expect(page.locator(".fl-log-line").last).to_contain_text("80")
    check_all_looks(page)


def test_sign_in_is_accessible_and_follows_the_system(open_page: Open) -> None:
    page = open_page("/sign-in/", signed_in=False, theme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    check_all_looks(page)


def test_a_theme_chosen_before_sign_in_stays(open_page: Open) -> None:
    page = open_page("/sign-in/", signed_in=False, theme="light")
    page.get_by_role("button", name="Theme").last.click()
    page.get_by_role("button", name="Dark").last.click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_timeout(300)
    page.reload()
    # The server's answer says it already, so there is no white flash before the script.
    assert re.search(r'<html[^>]*data-bs-theme="dark"', page.request.get(page.url).text())
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_language_switch(open_page: Open) -> None:
    page = open_page("/sign-in/", signed_in=False)
    page.get_by_role("button", name="Language").last.click()
    page.get_by_role("button", name="简体中文").last.click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("h1")).to_have_text("登录")


def test_the_narrow_menu_opens(open_page: Open) -> None:
    page = open_page("/", width=390)
    link = page.get_by_role("link", name="Hosts", exact=True)
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()


def test_pages_are_reachable_by_keyboard(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_an_unknown_address_names_the_request(open_page: Open) -> None:
    page = open_page("/nothing-here/", complaint="404")
    expect(page.locator("h1")).to_have_text("Not found")
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", page.locator("code").inner_text())


def test_pages_say_something_before_their_script_ran(console: Console, open_page: Open) -> None:
    task = console.run("tests.browser.scene", "task", "80", "succeeded")
    page = open_page(f"/tasks/{task}/", java_script_enabled=False)
    expect(page.locator(".fl-log-line").last).to_contain_text("80: /etc/kubernetes")
    expect(page.locator("#L80")).to_be_visible()
    expect(page.locator(".fl-stepper")).to_contain_text("Certificates")


def test_no_page_loads_anything_from_elsewhere(console: Console, open_page: Open) -> None:
    asked: list[str] = []
    open_page("/", prepare=lambda page: page.on("request", lambda r: asked.append(r.url)))
    assert asked
    assert [url for url in asked if not url.startswith((console.url, "data:"))] == []
