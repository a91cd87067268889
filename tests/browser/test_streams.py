"""Streams of the audit record, as admins set them up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_a_stream_is_added_tested_paused_and_removed(console: Console, open_page: Open) -> None:
    page = open_page("/audit/")
    page.get_by_role("link", name="Streams").click()
    expect(page.get_by_text("No streams yet")).to_be_visible()
    page.get_by_role("link", name="Add webhook").click()
    page.get_by_label("Name").fill("siem")
    page.get_by_label("Web address").fill("https://siem.example/in")
    page.get_by_label("CA certificate").fill("nonsense")
    page.get_by_role("button", name="Add stream").click()
    expect(page.get_by_text("This is no certificate in PEM form")).to_be_visible()
    check_all_looks(page, "audit-stream-form")
    page.get_by_label("CA certificate").fill("")
    page.get_by_label("With what happens from now on").check()
    page.get_by_role("button", name="Add stream").click()
    expect(page.locator("#plain")).to_contain_text("whsec_")
    check_all_looks(page, "audit-stream-secret")
    page.get_by_role("link", name="Done").click()

    page.get_by_role("link", name="Add file").click()
    page.get_by_label("Name").fill("disk")
    page.get_by_label("File").fill("all.jsonl")
    page.get_by_role("button", name="Add stream").click()
    expect(page.get_by_text("The stream was added.")).to_be_visible()
    page.get_by_role("button", name="Pause siem").click()
    page.get_by_role("button", name="Test disk").click()
    expect(page.get_by_text("A test event is on its way")).to_be_visible()
    console.run("tests.browser.stream_scene", "away")
    page = open_page("/audit/streams/")
    row = page.get_by_role("row").filter(has_text="disk")
    expect(row).to_contain_text("Sending")
    expect(row).to_contain_text("nothing")
    expect(page.get_by_role("row").filter(has_text="other-place")).to_contain_text("tried 1234")
    expect(page.get_by_role("row").filter(has_text="siem.example")).to_contain_text("Paused")
    file = Path(console.environment["FLOTILLA_DATA"]) / "audit-streams/all.jsonl"
    sent = [json.loads(line) for line in file.read_text().splitlines()]
    actions = [one["event"]["action"] for one in sent if one.get("event")]
    assert "audit_stream.tested" in actions and sent[-1]["checkpoint"]
    check_all_looks(page, "audit-streams")

    page.get_by_role("link", name="Edit disk").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_label("to confirm").fill("disk")
    page.get_by_role("button", name="Remove stream").click()
    expect(page.get_by_text("was removed")).to_be_visible()
    page.goto(f"{console.url}/audit/proof/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
