"""How much of a value an event keeps: what is left out is said, with its length and digest."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

# In characters, of one text; in entries, of one list or mapping; in levels below a field.
TEXT_LIMIT = 4000
ENTRY_LIMIT = 500
DEPTH_LIMIT = 20
# In characters, of all texts, names and numbers of `before`, and as many of `after`.
TOTAL_LIMIT = 65536


class Budget:
    """What is left of TOTAL_LIMIT while one `before` or `after` is shortened."""

    def __init__(self, left: int = TOTAL_LIMIT) -> None:
        self.left = left

    def bounded(self, value: Any) -> Any:
        """The JSON value with long texts, lists and mappings cut, and the cut said."""
        if isinstance(value, str):
            kept = shortened(value, min(TEXT_LIMIT, max(0, self.left)))
            self.left -= len(kept)
            return kept
        if not isinstance(value, dict | list):
            self.left -= len(str(value))
            return value
        return self._dict(value) if isinstance(value, dict) else self._list(value)

    def _dict(self, value: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, item in value.items():
            if len(kept) >= ENTRY_LIMIT or self.left <= 0:
                kept["…"] = f"{len(value) - len(kept)} entries left out"
                break
            short = shortened(name, TEXT_LIMIT)
            self.left -= len(short)
            kept[short] = self.bounded(item)
        return kept

    def _list(self, value: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for item in value:
            if len(kept) >= ENTRY_LIMIT or self.left <= 0:
                kept.append(f"… {len(value) - len(kept)} entries left out")
                break
            kept.append(self.bounded(item))
        return kept


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and what is said of the rest: at most `limit` + 110 characters."""
    if len(text) <= limit:
        return text
    digest = sha256(text.encode()).hexdigest()
    return f"{text[:limit]}… {len(text) - limit} characters left out, sha256 {digest}"
