"""What a running script tells the console: one line for each event."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

# Each verb with the field that it cannot do without.
VERBS: dict[str, tuple[str, type]] = {
    "resource": ("key", str),
    "prior": ("key", str),
    "want": ("payload", int),
    "failed": ("key", str),
    "done": ("changed", int),
}


@dataclass(frozen=True)
class Event:
    """verb: one of VERBS; data: the fields of the event, text decoded from base64 where it was."""

    verb: str
    data: dict[str, object] = field(default_factory=dict)


def read_event(line: str, nonce: str) -> Event | None:
    """The event in a line of a script's stdout, or None for a line that is none.

    In: one line without its newline, decoded with errors="replace"; the nonce
    of this run. A line without the exact nonce, with an unknown verb or with
    broken JSON is no event and never an error: a host may print what it likes.
    Fields `name_b64` become `name` as text.
    """
    if not nonce or not line.startswith(nonce + " "):
        return None
    verb, _, text = line[len(nonce) + 1 :].rstrip("\r\n").partition(" ")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if verb not in VERBS or not isinstance(raw, dict):
        return None
    data: dict[str, object] = {}
    for name, value in raw.items():
        if name.endswith("_b64"):
            data[name.removesuffix("_b64")] = _text(value)
        else:
            data[name] = value
    name, kind = VERBS[verb]
    return Event(verb, data) if isinstance(data.get(name), kind) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
