"""Reads rows and events as what they are: text of strangers, of any type and length."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

# Control characters, and those that turn the direction of writing around or are not seen.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\s]+")
# No message of Kubernetes that says something new is longer; patterns look at no more.
MESSAGE = 4000
SAID = 300
MOST_CONTAINERS = 50

# {"code", "values", "evidence"}, or {} when there is nothing to say.
Cause = dict[str, Any]


def text(value: Any, limit: int = SAID) -> str:
    """A value as one line of at most `limit` characters; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    if not value.isascii():
        # Half of a surrogate pair is valid JSON, and no database takes it.
        value = value.encode("utf-8", "replace").decode()
    line = _UNSEEN.sub(" ", value[: 4 * limit]).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def last_line(value: Any, limit: int = 200) -> str:
    """The last line of a text that says anything."""
    lines = value[-MESSAGE:].splitlines() if isinstance(value, str) else []
    return next((found for line in reversed(lines) if (found := text(line, limit))), "")


def message(value: Any) -> str:
    """A message to look for patterns in."""
    return text(value, MESSAGE)


def whole(value: Any) -> int:
    """A whole number, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if abs(value) < 10**15 else 0


def figure(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e21 and math.isfinite(value) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any, most: int = 200) -> list[Mapping[str, Any]]:
    """The mappings in a list, at most `most`."""
    if not isinstance(value, (list, tuple)):
        return []
    return [entry for entry in value[:most] if isinstance(entry, Mapping)]


def texts(value: Any, most: int = 50) -> list[str]:
    """The texts in a list that say anything, at most `most`."""
    if not isinstance(value, (list, tuple)):
        return []
    return [found for entry in value[:most] if (found := text(entry, 253))]


def moment(value: Any) -> datetime | None:
    """A moment with its zone from ISO 8601 or a datetime; None for anything else."""
    try:
        found = value if isinstance(value, datetime) else parse_datetime(text(value, 40))
    except ValueError:
        return None
    # Times at the edges of what a datetime holds cannot be turned into another zone.
    if found is None or not 1970 <= found.year <= 9000:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds_since(value: Any, now: datetime) -> float | None:
    """How long ago a moment was, in seconds; None when it is not known."""
    then = moment(value)
    return None if then is None else (now - then).total_seconds()


def condition(summary: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of a type, empty when there is none."""
    for found in mappings(summary.get("conditions")):
        if found.get("type") == kind:
            return found
    return {}


def condition_evidence(found: Mapping[str, Any]) -> dict[str, str]:
    """A condition as the proof of a cause."""
    return {
        "kind": "condition",
        "name": text(found.get("type"), 63),
        "since": text(found.get("since"), 40),
    }


def event_evidence(event: Any) -> dict[str, str]:
    """An event as the proof of a cause; since when it has been happening."""
    first = moment(getattr(event, "first", None))
    return {
        "kind": "event",
        "name": text(getattr(event, "reason", ""), 128),
        "since": first.isoformat() if first else "",
    }


def make(code: str, evidence: Mapping[str, str], **values: Any) -> Cause:
    """A cause; values that say nothing are left out."""
    kept = {key: value for key, value in values.items() if value not in ("", None, [])}
    return {"code": code, "values": kept, "evidence": dict(evidence)}


@dataclass(frozen=True)
class Ending:
    """How a container ended."""

    reason: str = ""
    exit_code: int | None = None
    signal: int = 0
    message: str = ""
    finished: str = ""

    @property
    def bad(self) -> bool:
        """Whether it ended otherwise than by itself with 0."""
        return bool(self.exit_code or self.signal) or self.reason == "OOMKilled"


@dataclass(frozen=True)
class Container:
    """One container of a pod's summary, read with care (docs/inventory.md)."""

    name: str
    image: str = ""
    init: bool = False
    ready: bool = False
    restarts: int = 0
    state: str = ""
    reason: str = ""
    message: str = ""
    since: str = ""
    ended: Ending = Ending()
    last: Ending = Ending()
    memory_limit: str = ""
    probes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def evidence(self) -> dict[str, str]:
        """This container as the proof of a cause."""
        return {"kind": "container", "name": self.name, "since": self.since}

    @property
    def who(self) -> dict[str, Any]:
        """The values that every cause about a container has."""
        return {"container": self.name, "init": self.init or None}


def containers(summary: Mapping[str, Any]) -> list[Container]:
    """The containers of a pod, those that prepare it first."""
    found = [_container(raw) for raw in mappings(summary.get("containers"), MOST_CONTAINERS)]
    return sorted(found, key=lambda one: not one.init)


def _container(raw: Mapping[str, Any]) -> Container:
    return Container(
        name=text(raw.get("name"), 63) or "?",
        image=text(raw.get("image"), 300),
        init=raw.get("init") is True,
        ready=raw.get("ready") is True,
        restarts=max(0, whole(raw.get("restarts"))),
        state=text(raw.get("state"), 20),
        reason=text(raw.get("reason"), 100),
        message=message(raw.get("message")),
        since=text(raw.get("since"), 40),
        ended=_ending({**raw, "finished": raw.get("since")}),
        last=_ending(mapping(raw.get("last"))),
        memory_limit=text(mapping(raw.get("limits")).get("memory"), 40),
        probes=mapping(raw.get("probes")),
    )


def _ending(raw: Mapping[str, Any]) -> Ending:
    code = raw.get("exit_code")
    known = isinstance(code, int) and not isinstance(code, bool)
    said = raw.get("message")
    return Ending(
        reason=text(raw.get("reason"), 100),
        exit_code=whole(code) if known else None,
        signal=whole(raw.get("signal")),
        message=said[-MESSAGE:] if isinstance(said, str) else "",
        finished=text(raw.get("finished"), 40),
    )


def newest(events: Sequence[Any], *reasons: str) -> list[Any]:
    """The events of some reasons, the newest first."""
    found = [event for event in events if getattr(event, "reason", "") in reasons]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda e: moment(getattr(e, "last", None)) or oldest, reverse=True)
