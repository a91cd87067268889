"""Catalogues compile without gettext's programs, and Python's gettext reads the result."""

from __future__ import annotations

import gettext
import os
from pathlib import Path

import pytest

from console.setup.translations import compile_catalogues

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n'
HEADER += 'Plural-Forms: nplurals=1; plural=0;\\n"\n\n'


def catalogue(folder: Path, text: str) -> Path:
    path = folder / "zh_Hans/LC_MESSAGES/django.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + text, encoding="utf-8")
    return path


def test_translations_contexts_and_plurals_are_read_back(tmp_path: Path) -> None:
    catalogue(
        tmp_path,
        'msgid "Host"\nmsgstr "主机"\n\nmsgctxt "verb"\nmsgid "Host"\nmsgstr "托管"\n\n'
        'msgid "%d host"\nmsgid_plural "%d hosts"\nmsgstr[0] "%d 台主机"\n\n'
        '#, fuzzy\nmsgid "Cluster"\nmsgstr "群"\n',
    )
    (written,) = compile_catalogues(tmp_path)
    with written.open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert read.gettext("Host") == "主机"
    assert read.pgettext("verb", "Host") == "托管"
    assert read.ngettext("%d host", "%d hosts", 3) == "%d 台主机"
    assert read.gettext("Cluster") == "Cluster"  # fuzzy: nobody has checked it


def test_only_what_changed_is_compiled_again(tmp_path: Path) -> None:
    path = catalogue(tmp_path, 'msgid "Host"\nmsgstr "主机"\n')
    assert compile_catalogues(tmp_path)
    assert compile_catalogues(tmp_path) == []
    later = path.with_suffix(".mo").stat().st_mtime + 5
    os.utime(path, (later, later))
    assert compile_catalogues(tmp_path)


def test_a_damaged_catalogue_is_named_with_its_line(tmp_path: Path) -> None:
    catalogue(tmp_path, 'msgid "Host"\nmsgstr "主机"\n\nnonsense\n')
    with pytest.raises((OSError, ValueError), match=r"django\.po"):
        compile_catalogues(tmp_path)
