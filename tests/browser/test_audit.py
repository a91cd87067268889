"""The audit record and its proof, as people see them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks, check_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_the_record_is_verified_and_what_was_altered_is_said(
    console: Console, open_page: Open
) -> None:
    console.run("tests.browser.audit_scene", "events")
    check_all_looks(open_page("/audit/"), "audit")
    page = open_page("/audit/proof/")
    page.get_by_role("button", name="Verify everything").click()
    expect(page.get_by_text("Verified: nothing was altered.")).to_be_visible()
    check_all_looks(page, "audit-proof")
    console.run("tests.browser.audit_scene", "alter")
    page.get_by_role("button", name="Verify everything").click()
    expect(page.locator(".alert-danger")).to_contain_text("was altered")
    check_all_looks(page, "audit-proof-altered")
    page.get_by_role("button", name="Verify what is new").click()
    expect(page.locator(".alert-danger")).to_contain_text("was altered")
    console.run("tests.browser.audit_scene", "mend")
    page.get_by_role("button", name="Verify what is new").click()
    expect(page.locator(".alert-danger")).to_have_count(0)


def test_an_auditor_follows_a_request_and_keeps_the_view(console: Console, open_page: Open) -> None:
    console.run("tests.browser.audit_scene", "days")
    page = open_page("/audit/")
    page.set_viewport_size({"width": 1440, "height": 900})
    check_all_looks(page, "audit-days")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Deleted a cluster").click()
    expect(page.get_by_text("The event is what was hashed.")).to_be_visible()
    page.get_by_role("link", name="Everything of this request").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Save this view").click()
    page.get_by_label("Name").fill("The night prod-eu went")
    check_all_looks(page, "audit-view")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="The night prod-eu went")).to_have_attribute(
        "aria-current", "page"
    )
    page.get_by_role("link", name="Manage views").click()
    check_all_looks(page, "audit-views")


def test_an_event_shows_its_changes_side_by_side(console: Console, open_page: Open) -> None:
    console.run("tests.browser.audit_scene", "days")
    page = open_page("/audit/?action=object.edited")
    page.get_by_role("link", name="Edited an object of a cluster").first.click()
    expect(page.get_by_text("spec.replicas")).to_be_visible()
    check_all_looks(page, "audit-event")
    with page.expect_download() as download:
        page.get_by_role("link", name="Proof of this event").click()
    assert download.value.suggested_filename.endswith("-proof.json")


def test_the_timeline_is_read_with_the_keyboard(console: Console, open_page: Open) -> None:
    console.run("tests.browser.audit_scene", "days")
    check_page(open_page, "/audit/?who=ada&view=timeline", "audit-timeline")
    page = open_page("/audit/?who=ada&view=timeline")
    expect(page.locator(".fl-gap").first).to_contain_text("nothing for")
    page.locator(".fl-timeline a").first.focus()
    for _step in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.fl-timeline') !== null")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_visible()
    assert "view=timeline" not in page.url
