"""Who a notice is for besides those whose role lets them see it.

An audience is a name that an app gives to some of its people, such as "tenant:7:ask". Who
belongs to it is asked when somebody looks: who left sees nothing any more, who came sees
what is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q, QuerySet

from console.accounts.models import User

# Each gives queries with one column: the names of audiences to which a person belongs.
Source = Callable[[User], Iterable[QuerySet[Any, Any]]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Add a source; its queries become a part of the one for notices."""
    if source not in _sources:
        _sources.append(source)


def of(user: User) -> Q:
    """A condition on notices: those for an audience to which the person belongs."""
    found = Q(pk__in=())
    for source in _sources:
        for names in source(user):
            found |= Q(audience__in=names)
    return found & ~Q(audience="")


def names(user: User) -> frozenset[str]:
    """The audiences to which the person belongs."""
    return frozenset(str(name) for source in _sources for found in source(user) for name in found)
