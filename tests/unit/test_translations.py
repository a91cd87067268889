"""Every string that people see is there in Chinese, with the same placeholders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation.template import templatize

import provisioning.recipes
import provisioning.steps
from provisioning.wording import TITLES

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "locale/zh_Hans/LC_MESSAGES/django.po"
APPS = ("console", "clusters", "provisioning", "tenancy", "lab")
PLAIN = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"ngettext", "ngettext_lazy"}
CONTEXT = {"pgettext", "pgettext_lazy"}
CONTEXT_PLURAL = {"npgettext", "npgettext_lazy"}
KNOWN = PLAIN | PLURAL | CONTEXT | CONTEXT_PLURAL
PLACEHOLDER = re.compile(r"%\(\w+\)[-+#0 ]*[\d.]*[a-z]|%[sd]|\{\w+\}|</?\w+[^>]*>")
LITERAL = r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
IN_TEMPLATE = re.compile(rf"(?<!\w)(n?p?gettext|_)\(\s*{LITERAL}(?:\s*,\s*{LITERAL})?", re.DOTALL)

Key = tuple[str | None, str]


def in_module(file: Path) -> Iterator[Key]:
    """(context, text) of each call that marks a string for translation."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        if not texts or not all(isinstance(text, str) for text in texts[:1]):
            continue
        if node.func.id in PLAIN | PLURAL:
            yield None, texts[0]
        elif node.func.id in CONTEXT | CONTEXT_PLURAL:
            yield texts[0], texts[1]


def in_template(file: Path) -> Iterator[Key]:
    """(context, text) of each translated string of a template."""
    for name, first, second in IN_TEMPLATE.findall(templatize(file.read_text(encoding="utf-8"))):
        if name in ("pgettext", "npgettext"):
            yield ast.literal_eval(first), ast.literal_eval(second)
        else:
            yield None, ast.literal_eval(first)


def marked() -> dict[Key, Path]:
    """Every string of the console, with a file that holds it."""
    found: dict[Key, Path] = {}
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            for key in in_module(file):
                found.setdefault(key, file)
    for file in sorted((ROOT / "templates").rglob("*.html")):
        for key in in_template(file):
            found.setdefault(key, file)
    return found


def catalogue() -> dict[Key, polib.POEntry]:
    """The translations that count, by context and text."""
    entries = polib.pofile(str(CATALOGUE))
    return {(e.msgctxt, e.msgid): e for e in entries if not e.obsolete and not e.fuzzy}


def translations(entry: polib.POEntry) -> list[str]:
    """The text, or each plural form."""
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_strings_are_marked_by_names_that_make_messages_knows() -> None:
    hidden = [
        f"{file.relative_to(ROOT)}: {name.name} as {name.asname}"
        for app in APPS
        for file in sorted((ROOT / app).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for name in node.names
        if name.name in KNOWN and (name.asname or name.name) not in KNOWN
    ]
    assert hidden == [], "its strings never come into the catalogue: import it by its own name"


def test_every_marked_string_is_translated() -> None:
    known = catalogue()
    missing = [
        f"{file.relative_to(ROOT)}: {key[1]!r}"
        for key, file in marked().items()
        if key not in known or not all(translations(known[key]))
    ]
    assert not missing, (
        f"{len(missing)} strings have no Chinese: run make messages, then fill locale/.\n"
        + "\n".join(missing)
    )


def test_placeholders_and_markup_are_the_same() -> None:
    wrong = []
    for (_context, text), entry in catalogue().items():
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or text))
        wrong += [
            f"{text!r} -> {translation!r}"
            for translation in translations(entry)
            if set(PLACEHOLDER.findall(translation)) != wanted
        ]
    assert wrong == []


def test_no_translation_is_left_over() -> None:
    unused = [key[1] for key in catalogue() if key not in marked_once()]
    assert unused == [], "run make messages: these strings are no longer in the console"


_marked: dict[Key, Path] = {}


def marked_once() -> dict[Key, Path]:
    if not _marked:
        _marked.update(marked())
    return _marked


def titles_in(file: Path) -> Iterator[str]:
    """The titles of steps (class attribute) and of phases (second argument) in a module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and "Step" in {
            getattr(base, "id", "").removeprefix("Console") for base in node.bases
        }:
            for line in node.body:
                if isinstance(line, ast.Assign) and line.targets[0].id == "title":  # type: ignore[attr-defined]
                    yield ast.literal_eval(line.value)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "Phase"
            and isinstance(node.args[1], ast.Constant)
        ):
            yield node.args[1].value


@pytest.mark.parametrize("package", [provisioning.steps, provisioning.recipes])
def test_titles_of_phases_and_steps_are_in_the_catalogue(package: object) -> None:
    folder = Path(package.__path__[0])  # type: ignore[attr-defined]
    titles = {title for file in folder.glob("*.py") for title in titles_in(file)}
    assert titles
    assert titles <= set(TITLES), "add them to provisioning/wording.py"
