"""The frame around pages: navigation by role, theme, language, messages, errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils import timezone

from console.accounts.models import User
from console.ui.forms import ConfirmNameForm
from console.ui.vendor import named_icons, sprite

pytestmark = pytest.mark.django_db


def navigation(client: Client) -> list[str]:
    page = client.get("/").content.decode()
    return re.findall(r'class="nav-link-title">([^<]+)<', page)


def test_everybody_sees_only_what_they_may_open(
    admin_client: Client, operator_client: Client, auditor_client: Client, nobody_client: Client
) -> None:
    tenants = ["Tenants", "Namespaces"]
    everything = ["Overview", "Clusters", "Resource pools", *tenants, "Hosts", "Tasks"]
    everything += ["Requests", "Audit"]
    settings = ["Credentials", "Releases", "Users", "Groups", "API tokens"]
    notices = [*settings[:2], "Notifications", *settings[2:]]
    assert navigation(admin_client) == everything + notices
    assert navigation(auditor_client) == everything + settings
    assert navigation(operator_client) == [*everything[:8], *settings[:2], "API tokens"]
    assert navigation(nobody_client) == ["Overview", *tenants, "Requests", "API tokens"]


def test_no_entry_leads_nowhere(admin_client: Client) -> None:
    page = admin_client.get("/").content.decode()
    links = re.findall(r'class="nav-link" href="([^"]+)"', page)
    assert len(links) == 15
    assert {admin_client.get(link).status_code for link in links} == {200}


def test_the_place_where_one_is_is_marked(admin_client: Client) -> None:
    page = admin_client.get("/tasks/").content.decode()
    assert re.findall(r'href="([^"]+)" aria-current="page"', page) == ["/tasks/"]


def test_the_theme_is_kept_in_the_profile(admin_client: Client, admin: User) -> None:
    answer = admin_client.post("/settings/theme/", {"theme": "dark", "next": "/tasks/"})
    assert answer["Location"] == "/tasks/"
    admin.refresh_from_db()
    assert admin.theme == "dark"
    assert 'data-bs-theme="dark"' in admin_client.get("/").content.decode()


def test_a_visitor_may_choose_theme_and_language(anonymous_client: Client) -> None:
    anonymous_client.post("/settings/theme/", {"theme": "dark"})
    anonymous_client.post("/settings/language/", {"language": "zh-hans"})
    page = anonymous_client.get("/sign-in/").content.decode()
    assert '<html lang="zh-hans" data-theme="dark" data-bs-theme="dark">' in page


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_switches_lead_to_no_other_site(anonymous_client: Client, target: str) -> None:
    for path, data in (("theme", {"theme": ""}), ("language", {"language": "en"})):
        answer = anonymous_client.post(f"/settings/{path}/", {**data, "next": target})
        assert answer["Location"] == "/"


def test_unknown_themes_and_languages_are_refused(anonymous_client: Client) -> None:
    assert anonymous_client.post("/settings/theme/", {"theme": "pink"}).status_code == 400
    assert anonymous_client.post("/settings/language/", {"language": "xx"}).status_code == 400


def test_no_page_has_inline_script_or_style(admin_client: Client) -> None:
    for path in ("/", "/tasks/", "/clusters/", "/hosts/", "/audit/", "/settings/profile/"):
        page = admin_client.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|href=\"javascript:", page), path


def test_error_pages_name_the_request(admin_client: Client) -> None:
    answer = admin_client.get("/nothing/")
    assert answer.status_code == 404
    assert answer["X-Request-ID"] in answer.content.decode()


def test_a_form_without_token_says_what_to_do(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/settings/theme/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "send the form once more" in answer.content.decode()


def render(text: str, **context: Any) -> str:
    return Template("{% load ui %}" + text).render(Context(context))


def test_a_status_is_never_colour_alone() -> None:
    html = render("{% status_badge s since=t %}", s="unreachable", t=timezone.now())
    assert "Unreachable" in html
    assert "<svg" in html
    assert "<time datetime=" in html


def test_an_unknown_status_is_text() -> None:
    assert "&lt;b&gt;" in render("{% status_badge s %}", s="<b>")


def test_terminal_output_without_its_controls() -> None:
    assert render("{{ s|plain }}", s="\x1b[31mred\x1b[0m <b>\x07") == "red &lt;b&gt;"


def test_deleting_asks_for_the_exact_name() -> None:
    assert ConfirmNameForm({"confirm_name": "lab1"}, expected="lab1").is_valid()
    form = ConfirmNameForm({"confirm_name": "Lab1"}, expected="lab1")
    assert not form.is_valid()
    assert "lab1" in str(form.errors)


def test_every_icon_that_is_named_exists() -> None:
    icons = named_icons()
    assert {"server", "loader-2", "circle-check"} <= set(icons)


def test_an_unknown_icon_names_the_file(tmp_path: Any) -> None:
    with pytest.raises(SystemExit, match=r"page\.html.*no-such-icon"):
        sprite({"no-such-icon": tmp_path / "page.html"}, tmp_path)
