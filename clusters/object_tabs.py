"""The pieces of an object's page. Other modules add theirs in apps.py, as clusters/tabs.py does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.http import HttpRequest

from clusters.models import Object
from clusters.rights import grants_on, may_with
from console.accounts.permissions import ALL_PERMISSIONS, allowed


@dataclass(frozen=True)
class ObjectTab:
    """One tab of an object's page: its place in the address, label, permission and content.

    shown: for which objects there is such a tab. in_namespaces: it is for those, too, who hold
    the permission in the object's namespace only (clusters.places).
    """

    id: str
    label: Any
    permission: str
    template: str
    context: Callable[[HttpRequest, Object], dict[str, Any]]
    order: int = 50
    shown: Callable[[Object], bool] = lambda _object: True
    in_namespaces: bool = False


@dataclass(frozen=True)
class ObjectAction:
    """A button of an object's page: a named view with (cluster, resource, namespace, name).

    right: the verb, and the resource where it is not the object's own, that the person's roles
    on the cluster must allow; "" for none. in_namespaces: as of a tab.
    """

    id: str
    label: Any
    view: str
    permission: str
    icon: str
    shown: Callable[[Object], bool]
    tone: str = ""
    order: int = 50
    right: tuple[str, str] = ("", "")
    in_namespaces: bool = False


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
        may = _may(user, row)
        return [t for t in self.tabs if may(t) and t.shown(row)]

    def actions_for(self, user: Any, row: Object) -> list[ObjectAction]:
        """The buttons that the user may press on this object as it is now."""
        may = _may(user, row)
        return [a for a in self.actions if may(a) and a.shown(row) and _granted(user, a, row)]


def _may(user: Any, row: Object) -> Callable[[ObjectTab | ObjectAction], bool]:
    """Whether a part is for the user; the place is asked for each permission once."""

    @cache
    def may(permission: str) -> bool:
        return may_with(user, permission, row)

    return lambda part: (
        (part.in_namespaces or allowed(user, part.permission)) and may(part.permission)
    )


def _granted(user: Any, action: ObjectAction, row: Object) -> bool:
    verb, resource = action.right
    return not verb or grants_on(user, verb, row, resource)


def _known(permission: str) -> None:
    if permission not in ALL_PERMISSIONS:
        raise ValueError(f"{permission!r} is no permission of this console")


object_registry = ObjectRegistry()
