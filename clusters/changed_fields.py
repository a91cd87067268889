"""Which fields of an object a change touched, in a form that an audit event may keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clusters.manifest_text import LAST_APPLIED, MASK, bare

JSON = dict[str, Any]

MOST_FIELDS = 50
MOST_TEXT = 200
# Values that may be secret by their place: of config maps and secrets, of environment
# variables and arguments, and copies of the whole object.
_HIDDEN = re.compile(
    r"(?:^|\.)(?:data|stringData|binaryData)\."
    r"|\.env\[\d+\]\.value$"
    r"|\.(?:args|command)\[\d+\]$"
    rf"|{re.escape(LAST_APPLIED)}"
)


def changed_fields(before: JSON | None, after: JSON | None) -> tuple[JSON, JSON]:
    """The fields that differ, by path, with their values before and after.

    Values that may be secret are dots, long ones are cut, and after 50 fields
    the rest is counted.
    """
    old = dict(_leaves(bare(before))) if before else {}
    new = dict(_leaves(bare(after))) if after else {}
    for leaves in (old, new):
        leaves.pop("metadata.resourceVersion", None)
    paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    told: tuple[JSON, JSON] = ({}, {})
    for path in paths[:MOST_FIELDS]:
        for leaves, side in zip((old, new), told, strict=True):
            if path in leaves:
                side[path] = MASK if _HIDDEN.search(path) else _cut(leaves[path])
    if len(paths) > MOST_FIELDS:
        told[1]["more"] = len(paths) - MOST_FIELDS
    return told


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MOST_TEXT:
        return value[:MOST_TEXT] + "…"
    return value
