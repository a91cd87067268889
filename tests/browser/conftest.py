"""One console and one Chromium for all browser tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.console import Console, make
from tests.browser.scene import PASSWORD

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A running console with people and a few rows."""
    made = make(tmp_path_factory.mktemp("console"))
    made.run("tests.browser.scene", "people")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def ids(console: Console) -> dict[str, int]:
    """The numbers of the cluster, namespace and request of the scene with tenants."""
    found: dict[str, int] = json.loads(console.run("tests.browser.tenancy_scene"))
    return found


@pytest.fixture(scope="session")
def signed_in_state(console: Console, chromium: Browser) -> object:
    """The cookies of an admin who signed in with the form."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{console.url}/sign-in/")
    page.fill("#id_username", "ada")
    page.fill("#id_password", PASSWORD)
    page.click("main button[type=submit], main button.btn-primary")
    page.wait_for_url(f"{console.url}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(console: Console, chromium: Browser, signed_in_state: object) -> Iterator[Open]:
    """open_page(path, width=1440, theme="light", signed_in=True): a page without any error.

    Whatever the browser complains about (a broken script, a refused style) fails the test,
    unless `complaint`, a regular expression, says that it is expected.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one(path: str, **options: object) -> Page:
        signed_in = options.pop("signed_in", True)
        expected = str(options.pop("complaint", ""))
        prepare = options.pop("prepare", None)
        context = chromium.new_context(
            viewport={"width": int(options.pop("width", 1440)), "height": 900},
            color_scheme=options.pop("theme", "light"),
            storage_state=signed_in_state if signed_in else None,
            **options,
        )
        contexts.append(context)
        page = context.new_page()

        def complain(text: str) -> None:
            if not expected or not re.search(expected, text):
                complaints.append(f"{path}: {text}")

        page.on("pageerror", lambda error: complain(str(error)))
        page.on("console", lambda said: complain(said.text) if said.type == "error" else None)
        if prepare is not None:
            prepare(page)
        page.goto(console.url + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def page_of(console: Console, chromium: Browser) -> Iterator[object]:
    """page_of(name): a page of somebody who has signed in."""
    contexts = []

    def sign_in(name: str) -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{console.url}/sign-in/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.click("main button.btn-primary")
        page.wait_for_url(f"{console.url}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()
