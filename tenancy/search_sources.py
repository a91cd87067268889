"""Tenants and their namespaces for search (console/ui/search.py), from SQL alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.accounts.permissions import SIGNED_IN
from console.ui.search import LIMIT, Group, Hit, Query, Source, search_registry
from console.ui.templatetags.ui import status_badge_html
from tenancy.models import Namespace, NamespaceState
from tenancy.permissions import visible_tenants


def register() -> None:
    """Add both sources; each person finds what is theirs."""
    search_registry.add(Source("tenants", SIGNED_IN, tenants, order=25))
    search_registry.add(Source("tenant-namespaces", SIGNED_IN, namespaces, order=26))


def tenants(user: Any, query: Query) -> Iterator[Group]:
    """Tenants whose name, short name or description holds every word."""
    if query.operators:
        return
    rows = visible_tenants(user)
    for word in query.words:
        rows = rows.filter(
            Q(name__icontains=word) | Q(slug__icontains=word) | Q(description__icontains=word)
        )
    found = list(rows.order_by("name")[: LIMIT + 1])
    hits = [
        Hit(row.name, reverse("tenants:tenant", args=[row.slug]), kind="Tenant", text=row.slug)
        for row in found[:LIMIT]
    ]
    yield Group("tenants", _("Tenants"), icon="users-group", hits=hits, more=len(found) > LIMIT)


def namespaces(user: Any, query: Query) -> Iterator[Group]:
    """Tenants' namespaces; `ns:`, `cluster:` and `status:` narrow them."""
    if any(name not in ("ns", "cluster", "status") for name, _value in query.operators):
        return
    rows = Namespace.objects.filter(tenant__in=visible_tenants(user))
    for word in query.words:
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(description__icontains=word)
            | Q(tenant__name__icontains=word)
        )
    for value in query.values("ns"):
        rows = rows.filter(name__icontains=value)
    for value in query.values("cluster"):
        rows = rows.filter(cluster__name__icontains=value)
    for value in query.values("status"):
        rows = rows.filter(state__in=_states(value))
    found = list(rows.select_related("tenant", "cluster").order_by("name", "pk")[: LIMIT + 1])
    hits = [
        Hit(
            row.name,
            reverse("namespaces:namespace", args=[row.pk]),
            kind="Namespace",
            cluster=row.cluster.name,
            status=status_badge_html(row.state, row.get_state_display()),
            word=row.state,
            since=row.state_since,
            text=row.tenant.name,
        )
        for row in found[:LIMIT]
    ]
    title = _("Namespaces of tenants")
    yield Group("tenant-namespaces", title, icon="box", hits=hits, more=len(found) > LIMIT)


def _states(value: str) -> list[str]:
    wanted = value.lower()
    return [s.value for s in NamespaceState if wanted in (s.value, str(s.label).lower())]
