"""The pages of resource pools, as people see them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def ids(console: Console) -> tuple[str, str]:
    """The numbers of a cluster with nodes and of one of its pools."""
    cluster = str(console.run("tests.browser.metrics_scene", "pooled")).strip()
    pool = str(console.run("tests.browser.pools_scene", cluster)).strip()
    return cluster, pool


PAGES = {
    "list": "/pools/",
    "detail": "/pools/{1}/",
    "choose": "/pools/add/",
    "add": "/pools/add/?cluster={0}",
    "edit": "/pools/{1}/edit/",
    "delete": "/pools/{1}/delete/",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_fit_and_are_accessible(open_page: Open, ids: tuple[str, str], name: str) -> None:
    check_page(open_page, PAGES[name].format(*ids), f"pools-{name}")


def test_a_pool_is_made_by_ticking_nodes_and_a_mistake_loses_nothing(
    open_page: Open, ids: tuple[str, str]
) -> None:
    page = open_page(PAGES["add"].format(*ids))
    page.locator("#id_name").fill("silver")
    page.get_by_role("checkbox", name="n2").check()
    expect(page.get_by_role("checkbox", name="n0")).to_be_disabled()
    page.locator("#id_taints").fill("team=lab:Sometimes")
    page.get_by_role("button", name="Save pool").click()
    expect(page.get_by_text("is no taint").first).to_be_visible()
    expect(page.get_by_role("checkbox", name="n2")).to_be_checked()
    page.locator("#id_taints").fill("team=lab:NoSchedule")
    page.get_by_role("button", name="Save pool").click()
    expect(page.get_by_text("flotilla.dev/pool=silver")).to_be_visible()
    expect(page.get_by_text("The watcher has yet to change: n2")).to_be_visible()
