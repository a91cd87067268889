"""What people who may not do everything see: nothing that is refused, and how to get more."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
POD = "objects/pods/payments/cart-5d4c8b7f9-00000/"


@pytest.fixture(scope="module")
def shop(console: Console) -> str:
    """A cluster of a fleet; an auditor and a notice are there too."""
    pk = console.run("tests.browser.fleet_scene", "2", "60").strip()
    console.run("tests.browser.restricted_scene")
    return f"/clusters/{pk}/"


def offered(page: Page) -> dict[str, str]:
    """Where the page's links lead, one for each kind of place."""
    found = page.locator("a[href^='/']").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    places = {}
    for href in found:
        parts = href.split("?")[0].split("/")
        if "objects" in parts:
            at = parts.index("objects")
            del parts[at + 2 : at + 4]  # namespace and name
        places.setdefault("/".join(part for part in parts if not part.isdigit()), href)
    return places


@pytest.mark.parametrize("name", ["nemo", "audrey", "otto"])
def test_every_link_leads_to_a_page_and_everything_fits(
    console: Console, shop: str, page_of, name: str
) -> None:
    page = page_of(name)
    paths = ["/", "/search/?q=cart"]
    if name != "nemo":
        deployment = f"{shop}objects/deployments.apps/payments/cart/"
        paths += ["/clusters/", shop, f"{shop}{POD}", deployment, "/notices/"]
    places: dict[str, str] = {}
    for path in paths:
        page.goto(console.url + path)
        expect(page.locator("h1")).to_be_visible()
        check_all_looks(page)
        places |= offered(page)
    answers = {href: page.request.get(console.url + href).status for href in places.values()}
    assert {href: status for href, status in answers.items() if status >= 400} == {}


def test_somebody_without_a_role_learns_who_gives_one(console: Console, shop: str, page_of) -> None:
    page = page_of("nemo")
    expect(page.locator("main")).to_contain_text("Who can give you a role")
    expect(page.locator("main")).to_contain_text("ada")
    page.goto(f"{console.url}/search/?q=cart")
    expect(page.locator("#found")).to_contain_text("your account has no platform role yet")
    for path in ("/clusters/", shop, f"{shop}{POD}"):
        assert page.goto(console.url + path).status == 404
        expect(page.locator("main")).to_contain_text("an admin gives you one")
        assert "ImagePullBackOff" not in page.content()
    assert page.goto(f"{console.url}/notices/").status == 200
    expect(page.locator("main")).to_contain_text("Nothing to tell yet")


def test_an_auditor_looks_and_an_operator_acts(console: Console, shop: str, page_of) -> None:
    auditor, operator = page_of("audrey"), page_of("otto")
    for page in (auditor, operator):
        page.goto(f"{console.url}{shop}{POD}")
    for label in ("Edit YAML", "Delete", "Logs"):
        expect(auditor.locator("main").get_by_role("link", name=label, exact=True)).to_have_count(0)
        expect(operator.locator("main").get_by_role("link", name=label, exact=True)).to_have_count(
            1
        )


def test_the_bell_follows_without_a_reload(console: Console, shop: str, page_of) -> None:
    page = page_of("otto")
    page.goto(f"{console.url}/notices/")
    before = page.locator("#bell-wide .fl-bell-figure").inner_text()
    page.locator("[id^=read-]").first.wait_for()
    other = page.context.new_page()
    other.goto(f"{console.url}/notices/")
    other.get_by_role("button", name="Mark all as read").click()
    expect(page.locator("#bell-wide .fl-bell-figure")).to_have_count(0, timeout=25_000)
    assert int(before) >= 1
