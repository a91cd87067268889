"""How deep an answer is nested: what writes, copies and compares objects goes down by calls."""

from __future__ import annotations

from typing import Any

# Python ends at 1000 calls within each other; PyYAML needs three for a level. Objects of real
# clusters have some twenty levels, schemas of custom resources some sixty.
MOST_LEVELS = 150


def too_deep(value: Any, most: int = MOST_LEVELS) -> bool:
    """Whether objects and lists lie within each other more than `most` levels deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _depth in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
