"""What may be in a resource pool: Kubernetes' grammar of labels and taints, and what is not ours.

Sources: "Labels and Selectors", "Taints and Tolerations", "Object Names and IDs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

POOL_LABEL = "flotilla.dev/pool"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MOST_LINES = 50

_PART = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_NODE = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")

Taint = dict[str, str]


def check_key(key: str) -> None:
    """A label's or taint's key: "name" or "prefix/name". Raises ValidationError that names it."""
    prefix, slash, name = key.rpartition("/")
    if not _PART.fullmatch(name):
        raise ValidationError(
            _(
                "“%(key)s” is no key: after the slash, at most 63 letters, digits, “-”, “_” and "
                "“.”, beginning and ending with a letter or digit."
            )
            % {"key": key[:100]}
        )
    if slash and not (len(prefix) <= 253 and _PREFIX.fullmatch(prefix)):
        raise ValidationError(
            _("“%(key)s” is no key: before the slash stands a DNS name in lower case.")
            % {"key": key[:100]}
        )
    if _reserved(prefix, key):
        raise ValidationError(
            _("“%(key)s” belongs to Kubernetes or to Flotilla itself: choose a key of your own.")
            % {"key": key[:100]}
        )


def _reserved(prefix: str, key: str) -> bool:
    domains = ("kubernetes.io", "k8s.io", "flotilla.dev")
    # "node-restriction.kubernetes.io" is there for admins to set ("Node isolation/restriction").
    if prefix == "node-restriction.kubernetes.io":
        return False
    return any(prefix == d or prefix.endswith(f".{d}") for d in domains) or key == POOL_LABEL


def check_value(value: str, key: str) -> None:
    """A label's or taint's value, which may be empty. Raises ValidationError."""
    if value and not _PART.fullmatch(value):
        raise ValidationError(
            _(
                "The value “%(value)s” of “%(key)s” must be empty, or at most 63 letters, digits, "
                "“-”, “_” and “.”, beginning and ending with a letter or digit."
            )
            % {"value": value[:100], "key": key[:100]}
        )


def labels_of(text: str) -> dict[str, str]:
    """ "key=value", one in a line. Raises ValidationError with one message for each bad line."""
    found: dict[str, str] = {}
    problems = []
    for line in _lines(text):
        key, equals, value = line.partition("=")
        try:
            if not equals:
                raise ValidationError(
                    _("“%(line)s” is no label: write key=value.") % {"line": line[:100]}
                )
            check_key(key)
            check_value(value, key)
            if key in found:
                raise ValidationError(_("“%(key)s” is there twice.") % {"key": key[:100]})
        except ValidationError as error:
            problems += error.messages
        else:
            found[key] = value
    if problems:
        raise ValidationError(problems)
    return found


def taints_of(text: str) -> list[Taint]:
    """ "key=value:Effect" or "key:Effect", one in a line. Raises ValidationError."""
    found: list[Taint] = []
    problems = []
    for line in _lines(text):
        left, colon, effect = line.rpartition(":")
        key, _equals, value = left.partition("=")
        try:
            if not colon or effect not in EFFECTS:
                raise ValidationError(
                    _("“%(line)s” is no taint: write key=value:effect; effects are %(effects)s.")
                    % {"line": line[:100], "effects": ", ".join(EFFECTS)}
                )
            check_key(key)
            check_value(value, key)
            if any(taint["key"] == key and taint["effect"] == effect for taint in found):
                raise ValidationError(
                    _("“%(key)s” with the effect %(effect)s is there twice.")
                    % {"key": key[:100], "effect": effect}
                )
        except ValidationError as error:
            problems += error.messages
        else:
            found.append({"key": key, "value": value, "effect": effect})
    if problems:
        raise ValidationError(problems)
    return found


def namespaces_of(text: str) -> list[str]:
    """Names, separated by blanks, commas or lines. Raises ValidationError."""
    return _names(text, _NAMESPACE, _("“%(name)s” is no name of a namespace."))


def nodes_of(names: Iterable[str]) -> list[str]:
    """Names of nodes. Raises ValidationError."""
    return _names(" ".join(names), _NODE, _("“%(name)s” is no name of a node."))


def _names(text: str, grammar: re.Pattern[str], message: str) -> list[str]:
    names = list(dict.fromkeys(re.split(r"[\s,]+", text.strip()))) if text.strip() else []
    wrong = [message % {"name": name[:100]} for name in names if not grammar.fullmatch(name)]
    if wrong:
        raise ValidationError(wrong[:20])
    return sorted(names)


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise ValidationError(_("At most %(most)d lines, please.") % {"most": MOST_LINES})
    return lines


def label_text(key: str, value: str) -> str:
    """As the form takes it: "key=value"."""
    return f"{key}={value}"


def taint_text(taint: Taint) -> str:
    """As the form and kubectl write it: "key=value:Effect"."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"
