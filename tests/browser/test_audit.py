"""The audit record and its proof, as people see them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

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
