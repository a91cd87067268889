"""Groups of people: each change with its audit event.

What a group gives elsewhere is not known here: apps that give rights to groups say in
`uses` what hangs on one, and may refuse that it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.audit.record import record


class GroupRefusedError(Exception):
    """A change of groups that is not possible; the message says why and what to do."""


@dataclass(frozen=True)
class Use:
    """Something that a group gives to its people; needed: why it cannot go now, "" if it can."""

    text: str
    needed: str = ""


# Called in the transaction that removes a group, so that they may lock what they look at.
uses: list[Callable[[Group], Iterable[Use]]] = []


def register(source: Callable[[Group], Iterable[Use]]) -> None:
    """Have `source` say what hangs on a group; the same source counts once."""
    if source not in uses:
        uses.append(source)


def uses_of(group: Group) -> list[Use]:
    """Everything that hangs on a group."""
    return [use for source in uses for use in source(group)]


def people_of(group: Group) -> QuerySet[User]:
    """Who is in a group, by user name."""
    return User.objects.filter(groups=group).order_by("username")


def create(name: str, request: Any) -> Group:
    """A new group without people. The name is one that GroupForm let through."""
    with transaction.atomic():
        group = Group.objects.create(name=name)
        record("group.created", group, request=request, after={"name": name})
    return group


def rename(group: Group, name: str, request: Any) -> None:
    """Another name for a group; what it gives stays."""
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        before = row.name
        if before == name:
            return
        row.name = name
        row.save(update_fields=["name"])
        record("group.changed", row, request=request, before={"name": before}, after={"name": name})


def add(group: Group, person: User, request: Any) -> None:
    """Put somebody into a group; nothing happens when they are in it already."""
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        if person.groups.filter(pk=row.pk).exists():
            return
        person.groups.add(row)
        record("group.changed", row, request=request, after={"added": person.get_username()})


def take_out(group: Group, person: User, request: Any) -> None:
    """Take somebody out of a group: what it gave them ends at once."""
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        if not person.groups.filter(pk=row.pk).exists():
            return
        person.groups.remove(row)
        record("group.changed", row, request=request, before={"removed": person.get_username()})


def remove(group: Group, request: Any) -> None:
    """Remove a group and all that it gave.

    Raises GroupRefusedError while something needs it.
    """
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        found = uses_of(row)
        needed = [use.needed for use in found if use.needed]
        if needed:
            raise GroupRefusedError(
                _("The group “%(name)s” cannot go: %(why)s")
                % {"name": row.name, "why": " ".join(needed)}
            )
        people = list(people_of(row).values_list("username", flat=True))
        before = {"people": people, "gave": [use.text for use in found]}
        record("group.removed", row, request=request, before=before)
        row.delete()
