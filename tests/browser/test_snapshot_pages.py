"""The pages of snapshots, as people see them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def ids(console: Console) -> tuple[str, str]:
    """The numbers of a cluster and of its good snapshot."""
    cluster, snapshot = str(console.run("tests.browser.snapshot_scene")).split()
    return cluster, snapshot


PAGES = {
    "tab": "/clusters/{0}/snapshots/",
    "schedule": "/clusters/{0}/snapshots/schedule/",
    "download": "/snapshots/{1}/download/",
    "delete": "/snapshots/{1}/delete/",
    "restore": "/snapshots/{1}/restore/",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_fit_and_are_accessible(open_page: Open, ids: tuple[str, str], name: str) -> None:
    check_page(open_page, PAGES[name].format(*ids), f"snapshots-{name}")


def test_a_restore_names_what_is_lost_before_it_begins(
    open_page: Open, ids: tuple[str, str]
) -> None:
    page = open_page(PAGES["restore"].format(*ids))
    expect(page.get_by_text("Everything that was written to the cluster since")).to_be_visible()
    page.get_by_label("Type snapped to confirm").fill("wrong")
    page.get_by_role("button", name="Restore the cluster").click()
    expect(page.get_by_text("This is not the name")).to_be_visible()
