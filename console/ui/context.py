"""What the frame around every page needs: navigation, theme, language, request id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.accounts.permissions import SIGNED_IN, allowed

THEME_COOKIE = "flotilla_theme"
THEMES = ("", "light", "dark")


@dataclass(frozen=True)
class Entry:
    """One place in the navigation: shown to those who hold the permission."""

    label: Any
    view: str
    permission: str
    icon: str
    prefixes: tuple[str, ...] = ()


MAIN = (
    Entry(_("Overview"), "overview", SIGNED_IN, icon="layout-dashboard"),
    Entry(_("Clusters"), "clusters:list", "clusters.view", icon="hexagons"),
    Entry(_("Resource pools"), "pools:list", "pools.view", icon="stack-2"),
    Entry(_("Tenants"), "tenants:list", SIGNED_IN, icon="building-community"),
    Entry(_("Namespaces"), "namespaces:list", SIGNED_IN, icon="box-multiple"),
    Entry(_("Hosts"), "provisioning:hosts", "hosts.view", icon="server"),
    Entry(_("Tasks"), "provisioning:tasks", "tasks.view", icon="list-check"),
    Entry(_("Requests"), "requests:list", SIGNED_IN, icon="inbox"),
    Entry(_("Audit"), "audit:list", "audit.view", icon="history"),
)
SETTINGS = (
    Entry(_("Credentials"), "provisioning:credentials", "credentials.view", icon="key"),
    Entry(_("Releases"), "provisioning:releases", "releases.view", icon="package"),
    Entry(_("Notifications"), "notices:channels", "notices.change", icon="bell-cog"),
    Entry(_("Users"), "accounts:users", "users.view", icon="users"),
    Entry(_("Groups"), "accounts:groups", "users.view", icon="users-group"),
    Entry(_("API tokens"), "accounts:tokens", SIGNED_IN, icon="api"),
)
THEME_CHOICES = (
    ("", pgettext_lazy("theme", "System"), "device-desktop"),
    ("light", pgettext_lazy("theme", "Light"), "sun"),
    ("dark", pgettext_lazy("theme", "Dark"), "moon"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: {"shell": {...}} for templates/base.html."""
    user = getattr(request, "user", None) or AnonymousUser()
    return {
        "shell": {
            "main": _entries(request, user, MAIN),
            "settings": _entries(request, user, SETTINGS),
            "theme": theme_of(request, user),
            "themes": THEME_CHOICES,
            "languages": settings.LANGUAGES,
            "request_id": getattr(request, "request_id", ""),
        }
    }


def theme_of(request: HttpRequest, user: Any) -> str:
    """The profile's theme; before sign-in the cookie's. Empty means: as the system says."""
    theme = getattr(user, "theme", None)
    if theme is None:
        theme = request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in THEMES else ""


def _entries(request: HttpRequest, user: Any, entries: tuple[Entry, ...]) -> list[dict[str, Any]]:
    shown = []
    for entry in entries:
        if not allowed(user, entry.permission):
            continue
        try:
            href = reverse(entry.view)
        except NoReverseMatch:
            continue  # an app that is not installed
        here = request.path == href or (href != "/" and request.path.startswith(href))
        shown.append({"label": entry.label, "href": href, "icon": entry.icon, "here": here})
    return shown
