"""What the documentation names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import resolve

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *(CHECKOUT / "docs").rglob("*.md")]
)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
NAMED = re.compile(
    r"`((?:console|clusters|provisioning|lab|tests|templates|static|docs)/[\w/.*-]*)`"
)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    dead = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = NAMED.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not list(CHECKOUT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(TARGET.findall((CHECKOUT / "Makefile").read_text(encoding="utf-8")))
    named = set(re.findall(r"`[^`\n]*\bmake ([a-z][a-z-]*)", page.read_text(encoding="utf-8")))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_management_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"manage\.py\s+([a-z_]+)", text))
    ours = {path.stem for path in CHECKOUT.glob("*/**/management/commands/[a-z]*.py")}
    assert named <= ours | {"check", "migrate", "changepassword", "collectstatic"}


def addresses() -> list[str]:
    """The addresses of the examples in docs/api.md, variables filled in."""
    text = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8")
    for name, value in re.findall(r'^(WEB)="([^"]+)"', text, re.MULTILINE):
        text = text.replace(f'{name}="{value}"', "").replace(f"${name}/", f"{value}/")
    text = re.sub(r"\$\(echo [^)]*\)", "1", text)
    found = re.findall(r'"\$API(/[^"?]*)', text)
    return sorted({re.sub(r"\$\w+", "1", path) for path in found})


def test_the_examples_of_the_api_have_addresses() -> None:
    assert len(addresses()) > 30


@pytest.mark.parametrize("path", addresses())
def test_addresses_of_the_examples_are_served(path: str) -> None:
    assert resolve(f"/api/v1{path}").url_name not in (None, "unknown"), path
