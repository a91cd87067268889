"""YAML from people who are not trusted: plain data out, or a refusal that says where.

yaml.safe_load runs no code, but expands aliases (271 bytes became 254 MB), lets the last
of two equal keys win, and turns words into dates and numbers. This reads libyaml's events
instead and takes only mappings with unique keys, sequences and scalars.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from django.utils.translation import gettext as _

DEEPEST = 20
LARGEST = 256 * 1024
# YAML 1.1 as kubectl reads it; anything else in plain style stays text.
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}


class Refused(Exception):
    """Something in a text that was given is not taken.

    field: where, such as "users[0].user.exec", or "line 3, column 7"; why: one
    sentence for the person who gave it. Neither holds a value of the text.
    """

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


def load(given: str | bytes) -> Any:
    """The one document of a text: dict, list, str, bool and None. Raises Refused."""
    return _Reader(_text(given)).document()


def path_of(parent: str, key: str) -> str:
    """The path of a key; what does not look like a field's name is not repeated."""
    plain = key.replace("-", "").replace("_", "")
    shown = key if plain.isascii() and plain.isalnum() and len(key) <= 40 else "…"
    return f"{parent}.{shown}" if parent else shown


def _text(given: str | bytes) -> str:
    whole = _("file")
    try:
        raw = given if isinstance(given, bytes) else given.encode()
        if len(raw) > LARGEST:
            raise Refused(whole, _("It is larger than 256 KiB."))
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeError:
        raise Refused(whole, _("It is not UTF-8 text.")) from None
    if "\0" in text:
        raise Refused(whole, _("It has NUL characters in it."))
    if not text.strip():
        raise Refused(whole, _("It is empty."))
    return text


class _Reader:
    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)

    def document(self) -> Any:
        self._next("")
        start = self._next("")
        if not isinstance(start, yaml.DocumentStartEvent):
            raise Refused(_("file"), _("It has no document."))
        if start.tags or (start.version and start.version != (1, 1)):
            raise Refused(_where(start), _("YAML directives are not taken."))
        value = self._value(self._next(""), "", 0)
        self._next("")
        if not isinstance(self._next(""), yaml.StreamEndEvent):
            raise Refused(_("file"), _("It has more than one document."))
        return value

    def _next(self, path: str) -> Any:
        try:
            return next(self._events)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = str(getattr(error, "problem", "") or _("not readable"))
            where = _("line %(line)d, column %(column)d") % {
                "line": mark.line + 1, "column": mark.column + 1,
            } if mark else path or _("file")  # fmt: skip
            raise Refused(where, _("This is not YAML: %s.") % problem) from None

    def _value(self, event: Any, path: str, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            raise Refused(path or _where(event), _("YAML aliases are not taken."))
        if event.anchor:
            raise Refused(path or _where(event), _("YAML anchors are not taken."))
        if event.tag:
            raise Refused(path or _where(event), _("YAML tags are not taken."))
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, path)
        if depth >= DEEPEST:
            raise Refused(_where(event), _("It is nested deeper than %d levels.") % DEEPEST)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(path), yaml.SequenceEndEvent):
            found.append(self._value(event, f"{path}[{len(found)}]", depth + 1))
        return found

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(path), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise Refused(path or _where(event), _("A key is not a plain word."))
            key = self._value(event, path, depth)
            if not isinstance(key, str):
                raise Refused(path or _where(event), _("A key is not a plain word."))
            below = path_of(path, key)
            if key == "<<":
                raise Refused(path or _where(event), _("YAML merge keys are not taken."))
            if key in found:
                raise Refused(below, _("This key is there twice."))
            found[key] = self._value(self._next(below), below, depth + 1)
        return found


def _scalar(event: Any, path: str) -> str | bool | None:
    text = str(event.value)
    if "\0" in text:
        raise Refused(path or _where(event), _("It has NUL characters in it."))
    if event.style is None or event.style == "":
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
    return text


def _where(event: Any) -> str:
    mark = event.start_mark
    return _("line %(line)d, column %(column)d") % {
        "line": mark.line + 1,
        "column": mark.column + 1,
    }
