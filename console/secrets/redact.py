"""What a secret looks like, so that logs and audit rows never carry one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "••••"

_NAME = re.compile(
    r"passw(?:or)?d|secret|token|private|passphrase|authorization|cookie|api[-_]?key|kubeconfig$",
    re.IGNORECASE,
)
_SHAPES = (
    # PEM and OpenSSH private keys, also when the end was cut off.
    re.compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.S
    ),
    re.compile(r"\bflo_[A-Za-z0-9_-]{16,}"),  # API tokens of the console
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JSON web tokens
    re.compile(r"\b[0-9a-f]{8}:gAAAA[A-Za-z0-9_=-]+"),  # values under the key ring
)
# What stands before a secret stays, so that one can see what it was.
_AFTER = (
    # A header, as curl writes it or as Python shows a mapping.
    re.compile(
        r"(?P<kept>\bauthorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?:bearer|basic|token)\s+)?)"
        r"[^\s\"'\\,}]+",
        re.I,
    ),
    re.compile(r"(?P<kept>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.I),
    # The password of an address.
    re.compile(r"(?P<kept>://[^\s:/@]{0,256}:)[^\s@/]{1,1024}(?=@)"),
    # An assignment, a parameter, an entry of a mapping.
    re.compile(
        r"(?P<kept>(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key)"
        r"(?:=|\\?[\"']\s*:\s*(?=\\?[\"']))\\?[\"']?)[^\s&\"'\\,;]+",
        re.I,
    ),
)


def is_secret_name(name: str) -> bool:
    """Whether a field, key or variable of this name may hold a secret."""
    return bool(_NAME.search(name))


def mask_text(text: str) -> str:
    """The text with everything that has the shape of a secret replaced by dots."""
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    for shape in _AFTER:
        text = shape.sub(rf"\g<kept>{MASK}", text)
    return text


def mask_value(name: str, value: Any) -> Any:
    """The value, or dots where its name says secret. Yes, no and nothing stay."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return value
    if is_secret_name(name):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {str(key): mask_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(name, item) for item in value]
    return value
