"""Safe readers of raw JSON that a cluster sent: what has the wrong type is left out.

Every text is cut and freed from NULs, which JSON allows and PostgreSQL does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

JSON = Mapping[str, Any]

LINE = 253  # a name: the longest that Kubernetes allows
TEXT = 1000  # a message
MANY = 100  # entries of a list or a map
# PostgreSQL's integer.
LARGEST = 2**31 - 1


def as_map(value: Any) -> JSON:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_maps(value: Any, most: int = MANY) -> list[JSON]:
    """The objects of a list, at most so many."""
    entries = value[:most] if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def text(value: Any, most: int = LINE) -> str:
    """A text, cut; "" for anything else."""
    return value.replace("\x00", "")[:most] if isinstance(value, str) else ""


def texts(value: Any, most: int = MANY) -> list[str]:
    """The texts of a list, at most so many."""
    entries = value[:most] if isinstance(value, list) else []
    return [text(entry) for entry in entries if isinstance(entry, str)]


def pairs(value: Any, most: int = MANY) -> dict[str, str]:
    """A map of texts such as labels, at most so many."""
    entries = list(as_map(value).items())[:most]
    # A label's name is at most 253 + 1 + 63 characters, its value 63; annotations are longer.
    return {text(key, 320): text(entry, TEXT) for key, entry in entries if isinstance(entry, str)}


def whole(value: Any) -> int:
    """A number from 0 to 2^31 - 1; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(0, min(value, LARGEST))


def number_or(value: Any, default: int) -> int:
    """A number as whole() reads it; the default where the field is not there."""
    return default if value is None else whole(value)


def moment(value: Any) -> datetime | None:
    """An RFC 3339 time in UTC; None for anything else."""
    try:
        time = parse_datetime(value) if isinstance(value, str) else None
        if time is None:
            return None
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def time_text(value: Any) -> str:
    """The same as ISO 8601 text ("2026-01-02T03:04:05Z"); "" for anything else."""
    time = moment(value)
    return time.isoformat().replace("+00:00", "Z") if time else ""


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """Without what has nothing to say: "", None, [] and {}. 0 and False stay."""
    return {key: value for key, value in values.items() if value not in ("", None, [], {})}


def conditions(status: JSON) -> list[dict[str, str]]:
    """The conditions as rows keep them: type, status, reason, message, since."""
    return [
        filled(
            {
                "type": text(raw.get("type")),
                "status": text(raw.get("status"), 16),
                "reason": text(raw.get("reason")),
                "message": text(raw.get("message"), TEXT),
                "since": time_text(raw.get("lastTransitionTime")),
            }
        )
        for raw in as_maps(status.get("conditions"), 40)
    ]


def condition(found: list[dict[str, str]], kind: str) -> dict[str, str]:
    """The condition of a type; empty when there is none."""
    return next((entry for entry in found if entry.get("type") == kind), {})
