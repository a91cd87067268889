"""Exceptions from an isolation as people write them, one in a line.

KIND [NAMESPACE or NETWORK] [in, out or both] [PORT[/PROTOCOL] …], as
"cidr 10.20.0.0/16 out 5432 53/UDP". What they mean is said by tenancy.isolation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tenancy.isolation import CIDR, DIRECTIONS, IN, KINDS, NAMESPACE, checked

# Before a name that could be read as something else: no name has a colon.
_NAMED = "namespace:"
_PORT = re.compile(r"([0-9]{1,5})(?:/([A-Za-z]{1,8}))?")


def exceptions_of(text: str) -> list[dict[str, Any]]:
    """The exceptions of a text, as Namespace.exceptions has them. Raises ValidationError."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found, problems = [], []
    for line in lines:
        try:
            found.append(_of_line(line))
        except ValidationError as error:
            problems += error.messages
    if problems:
        raise ValidationError(problems)
    return checked(found)


def exceptions_text(exceptions: Iterable[Mapping[str, Any]]) -> str:
    """The lines that exceptions_of() takes."""
    return "\n".join(_line(item) for item in exceptions)


def _ambiguous(word: str) -> bool:
    """Whether a name could be read as a direction or a port."""
    return word in DIRECTIONS or bool(_PORT.fullmatch(word))


def _of_line(line: str) -> dict[str, Any]:
    kind, *words = line.split()
    if kind not in KINDS:
        raise ValidationError(
            _("“%(line)s” begins with none of %(kinds)s.")
            % {"line": line[:100], "kinds": ", ".join(KINDS)}
        )
    found: dict[str, Any] = {"kind": kind, "ports": []}
    if kind in (CIDR, NAMESPACE) and words:
        found["cidr" if kind == CIDR else "namespace"] = words.pop(0)
    elif words and not _ambiguous(words[0]):
        found["namespace"] = words.pop(0).removeprefix(_NAMED)
    if words and words[0] in DIRECTIONS:
        found["direction"] = words.pop(0)
    for word in words:
        match = _PORT.fullmatch(word)
        if match is None:
            raise ValidationError(
                _("“%(word)s” in “%(line)s” is no port: write 8080 or 53/UDP.")
                % {"word": word[:40], "line": line[:100]}
            )
        protocol = (match[2] or "TCP").upper()
        found["ports"].append({"port": int(match[1]), "protocol": protocol})
    return found


def _line(item: Mapping[str, Any]) -> str:
    direction = item.get("direction") or IN
    name = str(item.get("namespace") or "")
    if item["kind"] != NAMESPACE and _ambiguous(name):
        name = f"{_NAMED}{name}"
    words = [item["kind"], item.get("cidr") or name]
    words.append("" if direction == IN else direction)
    for port in item.get("ports") or ():
        tcp = port["protocol"] == "TCP"
        words.append(str(port["port"]) if tcp else f"{port['port']}/{port['protocol']}")
    return " ".join(word for word in words if word)
