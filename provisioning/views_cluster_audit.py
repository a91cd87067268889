"""The tab "Audit log" of a cluster's page: what its own API servers wrote down.

The page asks for the entries by an address of its own, so that it never waits for a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from clusters.models import Cluster, Origin
from clusters.rights import reachable_clusters
from clusters.tabs import OPERATIONS, Tab, registry
from console.accounts.permissions import requires
from console.audit import elsewhere
from console.audit.models import AuditEvent
from console.audit.record import record
from provisioning import cluster_audit
from provisioning.forms_cluster_audit import AuditLogForm

ACTION = "cluster.audit_log_read"
TAB = "audit-log"


def context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The form, and where the entries come from once something was asked for."""
    asked = {name: text for name, text in request.GET.items() if name in AuditLogForm.base_fields}
    form = AuditLogForm(asked) if asked else AuditLogForm()
    address = reverse("provisioning:cluster-audit-entries", args=[cluster.pk])
    good = bool(asked) and form.is_valid()
    return {
        "ours": cluster.origin == Origin.PROVISIONED,
        "form": form,
        "entries_url": f"{address}?{urlencode(asked)}" if good else "",
    }


@requires(GET="audit.view")
@never_cache
def found(request: HttpRequest, pk: int) -> HttpResponse:
    """The entries that fit: a part of the tab, or a page of their own where no script runs."""
    cluster = get_object_or_404(reachable_clusters(request.user), pk=pk)
    form = AuditLogForm(request.GET)
    values: dict[str, Any] = {"cluster": cluster, "form": form}
    if cluster.origin != Origin.PROVISIONED or not form.is_valid():
        return _shown(request, values, status=400)
    place = cluster_audit.readings.hold(request.user.pk)
    if place is None:
        values["busy"] = True
        return _shown(request, values, status=429)
    try:
        query = form.query()
        values["query"], values["reading"] = query, cluster_audit.read(cluster, query)
    finally:
        place.give()
    _tell(request, cluster, form, values["reading"])
    return _shown(request, values)


def _shown(request: HttpRequest, values: Mapping[str, Any], status: int = 200) -> HttpResponse:
    part = bool(request.headers.get("HX-Request"))
    template = "clusters/audit_log_entries.html" if part else "clusters/audit_log_page.html"
    # htmx leaves what came with an error status alone.
    return render(request, template, dict(values), status=200 if part else status)


def _tell(
    request: HttpRequest, cluster: Cluster, form: AuditLogForm, reading: cluster_audit.Reading
) -> None:
    away = {trouble.host for trouble in reading.troubles}
    record(
        ACTION,
        cluster,
        request=request,
        after={**form.asked(), "hosts": reading.hosts, "entries": len(reading.entries)},
        outcome="failure" if away >= set(reading.hosts) else "success",
        reason=" ".join(f"{one.host}: {one.cause}" for one in reading.troubles),
    )


def links(events: Sequence[AuditEvent]) -> dict[int, elsewhere.Link]:
    """From events of a request to what the cluster wrote down about the same request."""
    asking = {event.cluster_key for event in events if event.request_id and event.cluster_key}
    clusters = Cluster.objects.filter(pk__in=asking, origin=Origin.PROVISIONED)
    ours = set(clusters.values_list("pk", flat=True))
    return {
        event.pk: elsewhere.Link(_("In the cluster's own log"), _address(event))
        for event in events
        if event.request_id and event.cluster_key in ours
    }


def _address(event: AuditEvent) -> str:
    asked = {"request": event.request_id, "at": f"{event.time:%Y-%m-%dT%H:%M}", "minutes": "60"}
    return f"{reverse('clusters:tab', args=[event.cluster_key, TAB])}?{urlencode(asked)}"


def register() -> None:
    """Add the tab to the cluster's page, and the way from events to it."""
    registry.add_tab(
        Tab(
            TAB, gettext_lazy("Audit log"), "audit.view", "clusters/audit_log_note.html", context,
            order=60, group=OPERATIONS, still="clusters/audit_log_tab.html",
        )
    )  # fmt: skip
    elsewhere.register(links)
