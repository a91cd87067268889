"""Search over everything: what was typed, and the sources that apps add in apps.py.

A source answers groups of hits from SQL alone. Sources are asked one after the
other until the time is over; what was not asked any more is said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from console.accounts.permissions import ALL_PERMISSIONS, allowed, allowed_at
from console.ui.context import MAIN, SETTINGS

# Hits of one group, and seconds for all of a search.
LIMIT = 50
SECONDS = 3.0
LONGEST = 400
OPERATORS = ("kind", "ns", "label", "image", "ip", "status", "cluster", "node")
_WORD = re.compile(r'([a-z]+):"([^"]*)"|"([^"]*)"|(\S+)')


@dataclass(frozen=True)
class Query:
    """What was typed: words that names must hold, and operators with their values."""

    words: tuple[str, ...] = ()
    operators: tuple[tuple[str, str], ...] = ()

    def values(self, operator: str) -> tuple[str, ...]:
        """What an operator was given, in order; () where it was not typed."""
        return tuple(value for name, value in self.operators if name == operator)

    def __bool__(self) -> bool:
        return bool(self.words or self.operators)


def parse(text: str) -> Query:
    """`web kind:pod ns:"kube-system"`; what only looks like an operator (nginx:1.2) is a word."""
    words: list[str] = []
    operators: list[tuple[str, str]] = []
    for match in _WORD.finditer(text[:LONGEST].replace("\0", "")):
        quoted_name, quoted_value, quoted, plain = match.groups()
        if quoted_name is not None and quoted_name not in OPERATORS:
            words.append(f"{quoted_name}:{quoted_value}")
            continue
        if quoted_name is not None:
            name, value = quoted_name, quoted_value
        else:
            name, colon, value = (plain or "").partition(":")
            if quoted is not None or not colon or name not in OPERATORS:
                words.append(quoted if quoted is not None else plain)
                continue
        if value:
            operators.append((name, value))
    return Query(tuple(word for word in words if word), tuple(operators))


@dataclass(frozen=True)
class Hit:
    """One thing that was found. status: a badge (safe text) or nothing."""

    title: str
    href: str
    kind: str = ""
    cluster: str = ""
    namespace: str = ""
    status: Any = ""
    word: str = ""
    since: datetime | None = None
    text: str = ""


@dataclass(frozen=True)
class Group:
    """Hits of one kind; more: there are more than are shown."""

    id: str
    label: Any
    icon: str
    hits: list[Hit]
    more: bool = False


@dataclass(frozen=True)
class Source:
    """A function from (user, query) to groups, for those who hold the permission.

    It yields group by group, so that the search can end between them. in_namespaces: those are
    asked for, too, who hold the permission in some places only; find() keeps to these.
    """

    id: str
    permission: str
    find: Callable[[Any, Query], Iterator[Group]]
    order: int = 50
    in_namespaces: bool = False


@dataclass
class SearchRegistry:
    """The sources, in the order in which their groups are shown."""

    sources: list[Source] = field(default_factory=list)

    def add(self, source: Source) -> None:
        """Add a source. Raises ValueError for an id that is taken or an unknown permission."""
        if source.permission not in ALL_PERMISSIONS:
            raise ValueError(f"{source.permission!r} is no permission of this console")
        if any(other.id == source.id for other in self.sources):
            raise ValueError(f"there is a source {source.id!r} already")
        self.sources.append(source)
        self.sources.sort(key=lambda s: s.order)


search_registry = SearchRegistry()


@dataclass(frozen=True)
class Found:
    """What a search answered; complete is False when the time was over before the end."""

    groups: list[Group]
    complete: bool = True


def search(user: Any, query: Query, seconds: float = SECONDS) -> Found:
    """The groups that have hits, of the sources that the user may ask."""
    groups: list[Group] = []
    if not query:
        return Found(groups)
    end = time.monotonic() + seconds
    for source in (PAGES, *search_registry.sources):
        if not allowed_at(user, source.permission, {} if source.in_namespaces else None):
            continue
        for group in source.find(user, query):
            if group.hits:
                groups.append(group)
            if time.monotonic() > end:
                return Found(groups, complete=False)
    return Found(groups)


def _pages(user: Any, query: Query) -> Iterator[Group]:
    """Pages of the console whose name holds every word."""
    if query.operators:
        return
    hits = []
    for entry in (*MAIN, *SETTINGS):
        name = str(entry.label)
        if not allowed(user, entry.permission):
            continue
        if all(word.lower() in name.lower() for word in query.words):
            try:
                hits.append(Hit(name, reverse(entry.view)))
            except NoReverseMatch:
                continue
    yield Group("pages", _("Pages"), icon="layout-dashboard", hits=hits)


PAGES = Source("pages", "signed-in", _pages)
