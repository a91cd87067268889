"""The pieces of an object's page. Other modules add theirs in apps.py, as clusters/tabs.py does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from clusters.models import Object
from clusters.rights import may_with
from console.accounts.permissions import ALL_PERMISSIONS


@dataclass(frozen=True)
class ObjectTab:
    """One tab of an object's page: its place in the address, label, permission and content.

    shown: for which objects there is such a tab.
    """

    id: str
    label: Any
    permission: str
    template: str
    context: Callable[[HttpRequest, Object], dict[str, Any]]
    order: int = 50
    shown: Callable[[Object], bool] = lambda _object: True


@dataclass(frozen=True)
class ObjectAction:
    """A button of an object's page: a named view with (cluster, resource, namespace, name)."""

    id: str
    label: Any
    view: str
    permission: str
    icon: str
    shown: Callable[[Object], bool]
    tone: str = ""
    order: int = 50


@dataclass
class ObjectRegistry:
    """What modules have added, in the order in which it is shown."""

    tabs: list[ObjectTab] = field(default_factory=list)
    actions: list[ObjectAction] = field(default_factory=list)

    def add_tab(self, tab: ObjectTab) -> None:
        """Add a tab. Raises ValueError for an id that is taken or an unknown permission."""
        _known(tab.permission)
        if any(other.id == tab.id for other in self.tabs):
            raise ValueError(f"there is an object tab {tab.id!r} already")
        self.tabs.append(tab)
        self.tabs.sort(key=lambda t: t.order)

    def add_action(self, action: ObjectAction) -> None:
        """Add a button. Raises ValueError for an id that is taken or an unknown permission."""
        _known(action.permission)
        if any(other.id == action.id for other in self.actions):
            raise ValueError(f"there is an object action {action.id!r} already")
        self.actions.append(action)
        self.actions.sort(key=lambda a: a.order)

    def tabs_for(self, user: Any, row: Object) -> list[ObjectTab]:
        """The tabs of this object that the user may see."""
        return [t for t in self.tabs if may_with(user, t.permission, row) and t.shown(row)]

    def actions_for(self, user: Any, row: Object) -> list[ObjectAction]:
        """The buttons that the user may press on this object as it is now."""
        return [a for a in self.actions if may_with(user, a.permission, row) and a.shown(row)]


def _known(permission: str) -> None:
    if permission not in ALL_PERMISSIONS:
        raise ValueError(f"{permission!r} is no permission of this console")


object_registry = ObjectRegistry()
