"""Where else something stands about an event, such as a cluster's own audit log.

Apps register who knows such a place and stay unknown here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.audit.models import AuditEvent


@dataclass(frozen=True)
class Link:
    """A place of its own about an event: what it is called, and its address."""

    label: Any
    href: str


# Gets the events of a page; answers links by the event's number, of those that have one.
Source = Callable[[Sequence[AuditEvent]], Mapping[int, Link]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Ask this one, too."""
    _sources.append(source)


def add_links(events: Sequence[Any]) -> None:
    """Set `elsewhere`, a list of Link, on each event; whoever may see it may follow them."""
    found = [source(events) for source in _sources]
    for event in events:
        event.elsewhere = [links[event.pk] for links in found if event.pk in links]
