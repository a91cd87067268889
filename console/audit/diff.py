"""What an event changed, field by field, with nested values as paths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.audit.models import AuditEvent

# A value of more characters is folded; beyond the most the raw event has the rest.
LONG = 160
MOST = 20_000
ROWS = 500
DEPTH = 20


@dataclass(frozen=True)
class Field:
    """One path with its two values as text; None where there is none on that side.

    mark: added, removed, changed or same.
    """

    path: str
    before: str | None
    after: str | None

    @property
    def mark(self) -> str:
        """In one word what became of it."""
        if self.before == self.after:
            return "same"
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def sides(self) -> list[dict[str, Any]]:
        """Before and after for the page: text, its beginning, whether it is long or cut."""
        return [_side(self.before), _side(self.after)]


@dataclass(frozen=True)
class Diff:
    """changed and same fields, and how many more there are than are shown."""

    changed: list[Field]
    same: list[Field]
    more: int = 0


def diff(event: AuditEvent) -> Diff:
    """The event's before and after, at most ROWS of each kind."""
    before, after = dict(flat(event.before)), dict(flat(event.after))
    paths = dict.fromkeys([*before, *after])
    fields = [Field(path, before.get(path), after.get(path)) for path in paths]
    changed = [field for field in fields if field.mark != "same"]
    same = [field for field in fields if field.mark == "same"]
    more = max(0, len(changed) - ROWS) + max(0, len(same) - ROWS)
    return Diff(changed[:ROWS], same[:ROWS], more)


def flat(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(path, text) of each value below: `labels.app`, `ports[0].name`.

    A text is itself, everything else its JSON. What is nested too deep stays JSON in one piece.
    """
    if isinstance(value, Mapping) and depth < DEPTH and (value or not path):
        for name, item in value.items():
            yield from flat(item, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list) and value and depth < DEPTH:
        for index, item in enumerate(value):
            yield from flat(item, f"{path}[{index}]", depth + 1)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _side(text: str | None) -> dict[str, Any]:
    whole = text or ""
    return {
        "text": None if text is None else whole[:MOST],
        "start": whole[:LONG],
        "long": len(whole) > LONG,
        "length": len(whole),
        "cut": len(whole) > MOST,
    }
