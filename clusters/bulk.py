"""What can be done with several objects at once. Other modules add theirs in apps.py.

A list shows boxes on its rows when the reader may do something with them; a
button sends the chosen keys as `objects` (POST) to the action's view, a named
view with the cluster's `pk`, which asks for confirmation and finds the rows
with clusters.several.chosen().
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from clusters.models import Cluster, Object
from clusters.rights import may_somewhere
from console.accounts.permissions import ALL_PERMISSIONS


@dataclass(frozen=True)
class BulkAction:
    """A button below a list: a named view with `pk` that takes POST.

    for_resource: for which lists there is such a button ("pods").
    """

    id: str
    label: Any
    view: str
    permission: str
    icon: str
    for_resource: Callable[[str], bool]
    tone: str = ""
    order: int = 50


@dataclass
class BulkRegistry:
    """What modules have added, in the order in which it is shown."""

    actions: list[BulkAction] = field(default_factory=list)

    def add(self, action: BulkAction) -> None:
        """Add a button. Raises ValueError for an id that is taken or an unknown permission."""
        if action.permission not in ALL_PERMISSIONS:
            raise ValueError(f"{action.permission!r} is no permission of this console")
        if any(other.id == action.id for other in self.actions):
            raise ValueError(f"there is a bulk action {action.id!r} already")
        self.actions.append(action)
        self.actions.sort(key=lambda a: a.order)

    def for_list(self, user: Any, cluster: Cluster, resources: Iterable[str]) -> list[BulkAction]:
        """The buttons that the user may press on a list of these resources of a cluster."""
        shown = list(resources)
        return [
            action
            for action in self.actions
            if may_somewhere(user, action.permission, cluster)
            and any(map(action.for_resource, shown))
        ]


bulk_actions = BulkRegistry()


def key_of(row: Object) -> str:
    """What the box of a row sends: names of Kubernetes have no slash."""
    return f"{row.resource}/{row.namespace}/{row.name}"
