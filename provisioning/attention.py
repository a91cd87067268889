"""Hosts that need a person: why, and where to go; for the overview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from provisioning.models import Host, HostState

QUIET = (HostState.READY, HostState.NEW)
WAITING = Q(cleanups__isnull=False) | ~Q(missed="") | ~Q(state__in=QUIET)
SHOWN = 8


@dataclass(frozen=True)
class Attention:
    """One host of the list: its status word's key and label, since when, what to do, where."""

    name: str
    status: str
    label: str
    since: datetime | None
    text: str
    href: str


def waiting_hosts() -> list[Attention]:
    """The first hosts that wait for a person: those to be cleaned up, then the others."""
    found = Host.objects.filter(WAITING).distinct()
    rows = found.select_related("cluster").prefetch_related("cleanups").order_by("name")[:SHOWN]
    return [_attention(host) for host in rows]


def waiting_count() -> int:
    """How many hosts wait for a person."""
    return Host.objects.filter(WAITING).values("pk").distinct().count()


def _attention(host: Host) -> Attention:
    status, label = host.state, host.get_state_display()
    remains = ", ".join(row.cluster_name for row in host.cleanups.all())
    if remains and host.state == HostState.READY:
        status, label = "warning", _("Back: clean it up")
        text = _("It still has what is left of %(clusters)s.") % {"clusters": remains}
    elif remains:
        text = _("What is left of %(clusters)s is cleaned up once it is back.") % {
            "clusters": remains
        }
    elif host.missed and host.cluster:
        status, label = "warning", _("Has missed a change")
        text = _("Repair the cluster %(cluster)s.") % {"cluster": host.cluster.name}
    else:
        text = host.state_reason
    href = reverse("provisioning:host", args=[host.pk])
    return Attention(host.name, status, label, host.state_since, text, href)
