"""The grammar of labels and taints, as Kubernetes reads them ("Labels and Selectors").

Everything here is checked before it is sent, so that a mistake stands beside
its field; the server checks it again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MOST_LINES = 100


class Taint(NamedTuple):
    """A taint of a node."""

    key: str
    value: str
    effect: str

    @property
    def text(self) -> str:
        """As kubectl writes it: key=value:NoSchedule, or key:NoSchedule."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


class Wrong(ValueError):
    """A line that is no label or taint: which one, and what is wrong with it."""


def check_key(key: str) -> None:
    """A qualified name: an optional DNS prefix of 253 and a name of 63 characters.

    Raises Wrong.
    """
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _PREFIX.fullmatch(prefix)):
        raise Wrong(
            _("“%(key)s”: what stands before the slash must be a DNS name in lower case.")
            % {"key": key}
        )
    if not _NAME.fullmatch(name):
        raise Wrong(
            _(
                "“%(key)s” is no key: at most 63 letters, digits, “-”, “_” and “.”, with a letter "
                "or digit at both ends."
            )
            % {"key": key}
        )


def check_value(value: str) -> None:
    """A value: empty, or 63 characters that begin and end with a letter or digit. Raises Wrong."""
    if value and not _NAME.fullmatch(value):
        raise Wrong(
            _(
                "“%(value)s” is no value: at most 63 letters, digits, “-”, “_” and “.”, with a "
                "letter or digit at both ends."
            )
            % {"value": value}
        )


def labels_of(text: str) -> dict[str, str]:
    """Labels from lines of key=value. Raises Wrong naming the line."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        key, equals, value = (part.strip() for part in line.partition("="))
        try:
            if not equals:
                raise Wrong(_("“%(line)s”: write key=value.") % {"line": line})
            check_key(key)
            check_value(value)
            if key in found:
                raise Wrong(_("“%(key)s” is there twice.") % {"key": key})
        except Wrong as wrong:
            raise _at(number, wrong) from None
        found[key] = value
    return found


def taints_of(text: str) -> list[Taint]:
    """Taints from lines of key=value:Effect or key:Effect. Raises Wrong naming the line."""
    found: list[Taint] = []
    for number, line in _lines(text):
        rest, colon, effect = (part.strip() for part in line.rpartition(":"))
        key, _equals, value = (part.strip() for part in rest.partition("="))
        try:
            if not colon or effect not in EFFECTS:
                raise Wrong(
                    _("“%(line)s”: write key=value:Effect, the effect one of %(effects)s.")
                    % {"line": line, "effects": ", ".join(EFFECTS)}
                )
            check_key(key)
            check_value(value)
            if any((t.key, t.effect) == (key, effect) for t in found):
                raise Wrong(_("“%(key)s” is there twice with this effect.") % {"key": key})
        except Wrong as wrong:
            raise _at(number, wrong) from None
        found.append(Taint(key, value, effect))
    return found


def label_lines(labels: dict[str, str]) -> str:
    """Labels as lines of key=value, in order."""
    return "\n".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _lines(text: str) -> list[tuple[int, str]]:
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Wrong(_("These are more than %(most)d lines.") % {"most": MOST_LINES})
    return lines


def _at(number: int, wrong: Wrong) -> Wrong:
    return Wrong(_("Line %(number)d: %(what)s") % {"number": number, "what": wrong})
