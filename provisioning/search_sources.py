"""Hosts for search (console/ui/search.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.ui.search import LIMIT, Group, Hit, Query, Source, search_registry
from console.ui.templatetags.ui import status_badge_html
from provisioning.models import Host


def register() -> None:
    """Add the source."""
    search_registry.add(Source("hosts", "hosts.view", hosts, order=20))


def hosts(_user: Any, query: Query) -> Iterator[Group]:
    """Hosts whose name or address holds every word; `ip:` and `cluster:` narrow them too."""
    if any(name not in ("ip", "cluster") for name, _value in query.operators):
        return
    rows = Host.objects.select_related("cluster")
    for word in query.words:
        rows = rows.filter(Q(name__icontains=word) | Q(address__icontains=word))
    for value in query.values("ip"):
        rows = rows.filter(address=value)
    for value in query.values("cluster"):
        rows = rows.filter(cluster__name__icontains=value)
    found = list(rows.order_by("name")[: LIMIT + 1])
    hits = [
        Hit(
            host.name,
            reverse("provisioning:host", args=[host.pk]),
            kind="Host",
            cluster=host.cluster.name if host.cluster else "",
            status=status_badge_html(host.state, host.get_state_display()),
            word=host.state,
            since=host.state_since,
            text=host.address,
        )
        for host in found[:LIMIT]
    ]
    yield Group("hosts", _("Hosts"), icon="server", hits=hits, more=len(found) > LIMIT)
