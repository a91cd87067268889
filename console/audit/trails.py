"""Ways from one event to others: all of its request, its object, its person's day, and so on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.audit.filters import AuditEventFilter
from console.audit.lookback import look
from console.audit.models import AuditEvent


@dataclass(frozen=True)
class Trail:
    """One list of events. query: the filter of the page and the API that shows it."""

    name: str
    label: str | Promise
    query: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where the page shows it."""
        return f"{reverse('audit:list')}?{urlencode(self.query)}"


@dataclass(frozen=True)
class Neighbours:
    """The events just before and after one, in one respect; None where there is none."""

    label: str | Promise
    older: AuditEvent | None
    newer: AuditEvent | None


def trails(event: AuditEvent) -> dict[str, Trail]:
    """By name (request, person, cluster, tenant, object, session, address), as far as known."""
    found: list[Trail] = []
    if event.request_id:
        query = {"request": event.request_id}
        found.append(Trail("request", _("Everything of this request"), query))
    if event.actor_name:
        text = _("Everything %(name)s did that day") % {"name": event.actor_name}
        query = {"who": event.actor_name, **_day(event.time)}
        found.append(Trail("person", text, query))
    if event.cluster_name:
        text = _("Everything that happened to %(name)s") % {"name": event.cluster_name}
        found.append(Trail("cluster", text, {"cluster": event.cluster_name}))
    if event.tenant_name:
        text = _("Everything of the tenant %(name)s") % {"name": event.tenant_name}
        found.append(Trail("tenant", text, {"tenant": event.tenant_name}))
    if thing := _object(event):
        found.append(Trail("object", _("Everything that happened to this object"), thing))
    elif event.object_name:
        text = _("Everything with “%(name)s” in its object's name") % {"name": event.object_name}
        found.append(Trail("object", text, {"object": event.object_name}))
    if event.session:
        query = {"session": event.session}
        found.append(Trail("session", _("Everything of this session"), query))
    if event.address:
        query = {"address": event.address}
        found.append(Trail("address", _("Everything from this address"), query))
    return {trail.name: trail for trail in found}


def neighbours(event: AuditEvent) -> list[Neighbours]:
    """What came before and after it: of its request, its object and its person."""
    wanted: list[tuple[str, Mapping[str, str]]] = []
    if event.request_id:
        wanted.append((_("Of this request"), {"request": event.request_id}))
    if thing := _object(event):
        wanted.append((_("Of this object"), thing))
    if event.actor_name:
        wanted.append((_("Of %(name)s") % {"name": event.actor_name}, {"who": event.actor_name}))
    found = []
    for label, query in wanted:
        # The filter of the list, so that both go by the same indexes.
        rows = AuditEventFilter(query, queryset=AuditEvent.objects.all()).qs
        # A part of a name has no index: neighbours that are far away are not looked for.
        older = look(rows, event.pk, 1).rows
        newer = look(rows, event.pk, 1, upwards=True).rows
        if older or newer:
            found.append(Neighbours(label, next(iter(older), None), next(iter(newer), None)))
    return found


def _object(event: AuditEvent) -> dict[str, str]:
    if event.object_type and event.object_id:
        return {"object": f"{event.object_type}/{event.object_id}"}
    return {}


def _day(moment: datetime) -> dict[str, str]:
    """From midnight to midnight where the console is, as the form's fields write it."""
    start = timezone.localtime(moment).replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=1)
    return {"since": f"{start:%Y-%m-%dT%H:%M}", "until": f"{end:%Y-%m-%dT%H:%M}"}
