"""The pieces of a cluster's page. Other apps add theirs in apps.py and stay unknown here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from clusters.models import Cluster
from clusters.rights import may, may_somewhere
from console.accounts.permissions import ALL_PERMISSIONS, allowed

# Tabs about running the cluster itself: they share one menu, what runs in it has the row.
OPERATIONS = "operations"

ContextOf = Callable[[HttpRequest, Cluster], dict[str, Any]]


@dataclass(frozen=True)
class Tab:
    """One tab: its place in the address, label, needed permission, template and context.

    count: how many rows the tab holds, for its label; None for no number.
    shown: for which clusters there is such a tab. still: the template of what
    stands above the content and stays as it is while that follows what changes (a
    filter). group: "" for a tab of its own, OPERATIONS for one in that menu.
    in_namespaces: it is for those, too, who hold the permission in some namespaces of the cluster
    only (clusters.places), and shows these; its count, which is of the whole, is not for them.
    """

    id: str
    label: Any
    permission: str
    template: str
    context: ContextOf
    order: int = 50
    count: Callable[[Cluster], int | None] | None = None
    shown: Callable[[Cluster], bool] = lambda _cluster: True
    still: str = ""
    group: str = ""
    in_namespaces: bool = False


@dataclass(frozen=True)
class Action:
    """A button of the cluster's page that leads to another page (named view with `pk`)."""

    label: Any
    view: str
    permission: str
    icon: str
    shown: Callable[[Cluster], bool]
    tone: str = ""
    order: int = 50


@dataclass(frozen=True)
class NodeAction:
    """A link beside a node. links() answers the address for each node's name that has one."""

    label: Any
    permission: str
    icon: str
    links: Callable[[Cluster], Mapping[str, str]]


@dataclass(frozen=True)
class NodeLink:
    """A node action as the page shows it."""

    label: Any
    icon: str
    href: str


@dataclass(frozen=True)
class Notice:
    """Something the page says above its tabs; context() answers None when there is nothing."""

    template: str
    permission: str
    context: Callable[[HttpRequest, Cluster], dict[str, Any] | None]


@dataclass
class Registry:
    """What apps have added, in the order in which it is shown."""

    tabs: list[Tab] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    node_actions: list[NodeAction] = field(default_factory=list)

    def add_tab(self, tab: Tab) -> None:
        """Add a tab. Raises ValueError for an id that is taken or an unknown permission."""
        _known(tab.permission)
        if any(other.id == tab.id for other in self.tabs):
            raise ValueError(f"there is a cluster tab {tab.id!r} already")
        self.tabs.append(tab)
        self.tabs.sort(key=lambda t: t.order)

    def add_action(self, action: Action) -> None:
        """Add a button. Raises ValueError for an unknown permission."""
        _known(action.permission)
        self.actions.append(action)
        self.actions.sort(key=lambda a: a.order)

    def add_notice(self, notice: Notice) -> None:
        """Add a notice. Raises ValueError for an unknown permission."""
        _known(notice.permission)
        self.notices.append(notice)

    def add_node_action(self, action: NodeAction) -> None:
        """Add a link of nodes. Raises ValueError for an unknown permission."""
        _known(action.permission)
        self.node_actions.append(action)

    def tabs_for(self, user: Any, cluster: Cluster) -> list[Tab]:
        """The tabs of this cluster that the user may see."""
        return [t for t in self.tabs if _is_for(user, t, cluster) and t.shown(cluster)]

    def actions_for(self, user: Any, cluster: Cluster) -> list[Action]:
        """The buttons that the user may press on this cluster as it is now."""
        return [a for a in self.actions if may(user, a.permission, cluster) and a.shown(cluster)]

    def node_links_for(self, user: Any, cluster: Cluster) -> dict[str, list[NodeLink]]:
        """By node name: the links that the user may follow."""
        found: dict[str, list[NodeLink]] = {}
        for action in self.node_actions:
            if allowed(user, action.permission):
                for name, href in action.links(cluster).items():
                    found.setdefault(name, []).append(NodeLink(action.label, action.icon, href))
        return found

    def notices_for(self, request: HttpRequest, cluster: Cluster) -> list[dict[str, Any]]:
        """{"template", and the notice's own context} of each notice that has something to say."""
        found = []
        for notice in self.notices:
            if not allowed(request.user, notice.permission):
                continue
            context = notice.context(request, cluster)
            if context is not None:
                found.append({"template": notice.template, **context})
        return found


def _is_for(user: Any, tab: Tab, cluster: Cluster) -> bool:
    if allowed(user, tab.permission):
        return True
    return tab.in_namespaces and may_somewhere(user, tab.permission, cluster)


def _known(permission: str) -> None:
    if permission not in ALL_PERMISSIONS:
        raise ValueError(f"{permission!r} is no permission of this console")


registry = Registry()
