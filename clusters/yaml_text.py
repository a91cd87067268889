"""Objects as YAML with their parts told apart, so that pages can colour them.

Written by hand: every piece of text stays a piece of its own, to be escaped by
the template, and nothing that a cluster answered can become markup or an alias.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# What YAML 1.1 reads as a text without quotes, and nobody as anything else.
_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*(?::[A-Za-z0-9_/.@+-]+)*\Z")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))
_SIGNS = re.compile(r"[.+-]*[0-9_.]*(?:e[+-]?[0-9]*)?\Z|.*[+-]$|\.(?:inf|nan)\Z", re.IGNORECASE)
# A block keeps its lines as they are: no control characters, no spaces at the ends.
_ODD = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff"
_BLOCK = re.compile(rf"(?:[^\s{_ODD}](?:[^{_ODD}]*[^\s])?\n)+")
_ESCAPED = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
DEPTH = 60


class Piece(NamedTuple):
    """Some text and what it is: "key", "string", "number", "word" (true, null) or "" (signs)."""

    text: str
    kind: str = ""


def pieces(value: Any) -> Iterator[Piece]:
    """A JSON value as YAML, piece by piece; together they are the document."""
    if isinstance(value, (dict, list)) and value:
        yield from _block(value, 0)
    else:
        yield _scalar(value)
        yield Piece("\n")


def document(value: Any) -> str:
    """The same as one text."""
    return "".join(piece.text for piece in pieces(value))


def _block(value: Any, depth: int, first: bool = False) -> Iterator[Piece]:
    """A mapping or a list that is not empty. first: its first line has its indent already."""
    indent = "  " * depth
    entries = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    for number, (key, inner) in enumerate(entries):
        if indent and not (first and number == 0):
            yield Piece(indent)
        if key is None:
            yield Piece("- ")
            yield from _after_dash(inner, depth)
        else:
            yield Piece(_key(str(key)), "key")
            yield Piece(":")
            yield from _after_key(inner, depth)


def _after_dash(inner: Any, depth: int) -> Iterator[Piece]:
    if isinstance(inner, (dict, list)) and inner and depth < DEPTH:
        yield from _block(inner, depth + 1, first=True)
    else:
        yield from _end(inner, depth)


def _after_key(inner: Any, depth: int) -> Iterator[Piece]:
    if isinstance(inner, (dict, list)) and inner and depth < DEPTH:
        yield Piece("\n")
        # Lists stand below their key without a further indent, as kubectl writes them.
        yield from _block(inner, depth if isinstance(inner, list) else depth + 1)
    else:
        yield Piece(" ")
        yield from _end(inner, depth)


def _end(inner: Any, depth: int) -> Iterator[Piece]:
    if isinstance(inner, str) and "\n" in inner[:-1] and _BLOCK.fullmatch(inner):
        indent = "  " * (depth + 1)
        yield Piece("|\n")
        yield Piece("".join(f"{indent}{line}\n" for line in inner[:-1].split("\n")), "string")
        return
    yield _scalar(inner)
    yield Piece("\n")


def _key(key: str) -> str:
    return key if _is_plain(key) else _quoted(key)


def _scalar(value: Any) -> Piece:
    if value is None or isinstance(value, bool):
        return Piece({None: "null", True: "true", False: "false"}[value], "word")
    if isinstance(value, (int, float)):
        said = json.dumps(value)
        # YAML 1.1 takes an exponent after a point alone: 5e-324 would be a text.
        return Piece(said if "." in said else said.replace("e", ".0e"), "number")
    if isinstance(value, str):
        return Piece(value if _is_plain(value) else _quoted(value), "string")
    return Piece(json.dumps(value))


def _quoted(text: str) -> str:
    """In double quotes, which YAML reads as JSON does, but for what it takes for line breaks."""
    said = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", said)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.match(text)) and text.lower() not in _WORDS and not _SIGNS.match(text)
