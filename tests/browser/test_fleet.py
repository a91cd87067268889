"""The fleet in a browser: lists, an object's page, search by keyboard; fit and accessible."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def shop(console: Console) -> str:
    """The page of the first of three clusters of a fleet; the third one is away."""
    return f"/clusters/{console.run('tests.browser.fleet_scene', '3', '120').strip()}"


@pytest.mark.parametrize(
    "rest",
    ["/pods/", "/workloads/", "/config/", "/events/", "/objects/deployments.apps/payments/cart/",
     "/objects/pods/payments/cart-5d4c8b7f9-00000/", "/objects/nodes/-/shop-worker-1/",
     "/objects/deployments.apps/payments/cart/related/",
     "/objects/deployments.apps/payments/cart/yaml/"],
)  # fmt: skip
def test_pages_fit_and_are_accessible(shop: str, open_page: Open, rest: str) -> None:
    page = open_page(f"{shop}{rest}")
    expect(page.locator("h1")).to_be_visible()
    check_all_looks(page)


@pytest.mark.parametrize("path", ["/", "/search/?q=cart", "/search/"])
def test_overview_and_search_fit_and_are_accessible(shop: str, open_page: Open, path: str) -> None:
    page = open_page(path)
    expect(page.locator("h1")).to_be_visible()
    check_all_looks(page)


def test_pods_are_filtered_by_an_address_that_can_be_shared(
    console: Console, shop: str, open_page: Open
) -> None:
    page = open_page(f"{shop}/pods/")
    page.get_by_label("Health").select_option("look")
    page.wait_for_url(re.compile("health=look"))
    expect(page.locator("#live-rows tbody tr")).to_have_count(9)
    expect(page.locator("#live-rows")).to_contain_text("OOMKilled")
    again = open_page(page.url.removeprefix(console.url))
    expect(again.locator("#live-rows tbody tr")).to_have_count(9)


def test_columns_are_chosen_and_kept(shop: str, open_page: Open) -> None:
    page = open_page(f"{shop}/pods/")
    expect(page.locator("th", has_text="IP address")).to_have_count(0)
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("IP address").check()
    page.get_by_role("button", name="Show these").click()
    expect(page.locator("th", has_text="IP address")).to_be_visible()
    page.reload()
    expect(page.locator("th", has_text="IP address")).to_be_visible()


def test_operations_are_in_a_menu_and_all_tabs_in_one_when_narrow(
    shop: str, open_page: Open
) -> None:
    page = open_page(f"{shop}/pods/")
    page.get_by_role("button", name="Operations").click()
    page.locator(".fl-tabs").get_by_role("link", name="Certificates").click()
    expect(page).to_have_url(re.compile("/certificates/"))
    narrow = open_page(f"{shop}/pods/", width=390)
    narrow.get_by_role("button", name="Parts of the cluster").click()
    narrow.locator(".fl-tabs-narrow").get_by_role("link", name="Storage").click()
    expect(narrow).to_have_url(re.compile("/storage/"))


def test_search_by_keyboard(shop: str, open_page: Open) -> None:
    page = open_page("/clusters/")
    page.keyboard.press("/")
    expect(page.locator("#top-search")).to_be_focused()
    page.keyboard.type("cart-5d")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search/"))
    expect(page.locator("#search-text")).to_be_focused()
    expect(page.locator("[data-hit]").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-hit]").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-hit]").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#search-text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("ledger kind:deployment cluster:shop")
    expect(page.locator("[data-hit]")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/objects/deployments.apps/shop/ledger/"))


def test_control_k_opens_search_and_it_works_without_a_script(shop: str, open_page: Open) -> None:
    page = open_page("/hosts/")
    page.keyboard.press("Control+k")
    expect(page.locator("#top-search")).to_be_focused()
    plain = open_page("/search/", java_script_enabled=False)
    plain.fill("#search-text", "gateway kind:svc")
    plain.locator(".fl-search-form button").click()
    expect(plain.locator("[data-hit]").first).to_have_text("gateway")


def test_rows_change_below_a_filter_that_somebody_types_into(
    console: Console, shop: str, open_page: Open
) -> None:
    page = open_page(f"{shop}/namespaces/")
    page.get_by_label("Name", exact=True).fill("half typ")
    console.run("tests.browser.fleet_scene", "end", shop.rpartition("/")[2], "payments")
    expect(page.locator("#live-rows")).to_contain_text("Terminating", timeout=30_000)
    expect(page.get_by_label("Name", exact=True)).to_have_value("half typ")
    expect(page.locator("#live-rows")).to_have_count(1)
