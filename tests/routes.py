"""Every page, API action and websocket of the console, read from the URL configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from console.accounts.permissions import Declared

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One method on one address, and the permission that it declares (None: nothing)."""

    method: str
    path: str  # as written: "hosts/<int:pk>/"
    permission: str | None
    is_api: bool
    name: str = ""
    in_namespaces: bool = False  # also for those who hold the permission in some namespaces only

    def __str__(self) -> str:
        return f"{self.method} /{self.path}"

    @property
    def arguments(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.path)

    def address(self, values: dict[str, Any]) -> str:
        """The address with its arguments filled in."""
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m[1]]), self.path)


def routes() -> list[Route]:
    """Pages and API actions, in the order of the URL configuration."""
    found: dict[str, Route] = {}
    for path, pattern in _patterns(get_resolver(), ""):
        for route in _of(path, pattern):
            found.setdefault(str(route), route)  # the first pattern of an address answers
    return list(found.values())


def sockets_in_namespaces() -> list[str]:
    """The addresses of websockets that are also for those who hold the permission somewhere."""
    from console.asgi import websocket_urlpatterns

    return [
        readable(str(pattern.pattern))
        for pattern in websocket_urlpatterns
        if getattr(getattr(pattern.callback, "consumer_class", None), "in_namespaces", False)
    ]


def sockets() -> dict[str, str | None]:
    """The permission of each websocket, by address."""
    from console.asgi import websocket_urlpatterns

    return {
        readable(str(pattern.pattern)): getattr(
            getattr(pattern.callback, "consumer_class", None), "permission", None
        )
        for pattern in websocket_urlpatterns
    }


def readable(pattern: str) -> str:
    """A router's regular expression as a path: "^tasks/(?P<pk>[^/.]+)/$" -> "tasks/<pk>/"."""
    text = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\]|[^()])+\)", r"<\1>", pattern)
    return text.replace("^", "").replace("\\Z", "").rstrip("$").replace("\\", "")


def _patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        path = prefix + readable(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, path)
        elif "<format>" not in path and "<drf_format_suffix" not in path:
            yield path, entry


def _of(path: str, pattern: URLPattern) -> Iterator[Route]:
    view: Any = pattern.callback
    name = pattern.name or ""
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if isinstance(cls, type) and issubclass(cls, APIView):
        actions = getattr(view, "actions", None) or {
            method: method for method in METHODS if hasattr(cls, method)
        }
        initial = getattr(view, "initkwargs", {})
        checks = initial.get("permission_classes", cls.permission_classes)
        deny = any(isinstance(c, type) and issubclass(c, Declared) for c in checks)
        table = initial.get("permissions", getattr(cls, "permissions", {}))
        opted_in = getattr(cls, "in_namespaces", ())
        for method, action in actions.items():
            if method in METHODS:
                permission = table.get(action) if deny else None
                yield Route(method.upper(), path, permission, True, name, action in opted_in)
        return
    declared = getattr(view, "flotilla_permission", None)
    opted_in = getattr(view, "flotilla_in_namespaces", False)
    if isinstance(declared, dict):
        for method, permission in declared.items():
            yield Route(method, path, permission, False, name, opted_in)
    else:
        # One permission for every method, or none at all.
        yield Route("GET", path, declared or None, False, name)
        yield Route("POST", path, declared or None, False, name)
