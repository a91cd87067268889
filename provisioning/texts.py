"""Texts of the pure core in the reader's language, without knowing who translates.

The Django app gives its translator when it starts (apps.py); without one, as in
a test of a recipe alone, texts stay English. Ask when a text is made, not when a
module is imported: the language is the request's.
"""

from __future__ import annotations

from collections.abc import Callable


class _Translator:
    def __init__(self) -> None:
        self.translate: Callable[[str], str] = str


_translator = _Translator()


def use(translate: Callable[[str], str]) -> None:
    """Translate with this function from now on: English text in, the reader's text out."""
    _translator.translate = translate


def gettext(text: str) -> str:
    """`text` in the language of whoever asks; itself where nobody translates it."""
    return _translator.translate(text)


def gettext_noop(text: str) -> str:
    """`text` itself, marked for the catalogue: for constants, which gettext translates later."""
    return text
