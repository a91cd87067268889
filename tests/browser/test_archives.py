"""Archives of the audit record, as people find, open and verify them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_old_events_are_found_in_an_archive(console: Console, open_page: Open) -> None:
    page = open_page("/audit/archives/")
    expect(page.get_by_text("No archives yet")).to_be_visible()
    check_all_looks(page, "archives-none")
    console.run("tests.browser.archive_scene", "archives")
    page = open_page("/audit/")
    expect(page.get_by_text("Older events are in archives.")).to_be_visible()
    check_all_looks(page, "archives-note")
    page.locator("main").get_by_role("link", name="Archives", exact=True).click()
    expect(page.get_by_text("File is there")).to_have_count(2)
    check_all_looks(page, "archives")
    page.get_by_role("button", name="Verify audit-").last.click()
    expect(page.get_by_text("is what was sealed")).to_be_visible()
    with page.expect_download() as got:
        page.get_by_role("link", name="Download audit-").last.click()
    assert got.value.suggested_filename.endswith(".jsonl.gz")

    page.locator("tbody tr").last.locator("td a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Archived events")
    check_all_looks(page, "archive")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr").last).to_contain_text("position")
    page.get_by_label("Object").fill("host-0-58")
    page.get_by_label("Object").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)

    console.run("tests.browser.archive_scene", "alter")
    page = open_page("/audit/archives/")
    page.get_by_role("button", name="Verify audit-").last.click()
    expect(page.get_by_text("Not what was sealed")).to_be_visible()
    check_all_looks(page, "archives-altered")
    page.locator("tbody tr").last.locator("td a").first.click()
    expect(page.get_by_role("alert").first).to_contain_text("was altered")
    check_all_looks(page, "archive-altered")
    # Other tests look at the same record.
    console.run("tests.browser.archive_scene", "mend")
