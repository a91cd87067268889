"""The page of one object: from its row, apart from its YAML, which is asked for live."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from clusters.cells import health_badge
from clusters.diagnosis.neighbours import diagnose
from clusters.listings import tab_of
from clusters.live_page import live_page
from clusters.models import ClusterStatus
from clusters.object_tabs import object_registry
from clusters.rights import namespace_page, object_or_404, only_looks, sees_all
from clusters.views_lists import freshness
from console.accounts.permissions import requires


@requires(GET="clusters.view", in_namespaces=True)
def object_page(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str, tab: str = "summary"
) -> HttpResponse:
    """One object: status, cause, actions, and the chosen tab."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    tabs = object_registry.tabs_for(request.user, row)
    chosen = next((t for t in tabs if t.id == tab), None)
    if chosen is None:
        raise Http404
    diagnosis, whole = diagnose(row), sees_all(request.user)
    context = {
        "cluster": row.cluster,
        "object": row,
        "place": namespace,
        "badge": health_badge(row.status, row.health) if row.status or row.health else "",
        "diagnosis": diagnosis,
        "proof_opens": diagnosis and (whole or diagnosis.evidence.namespace == row.namespace),
        "tabs": tabs,
        "tab": chosen,
        "sees_all": whole,
        "namespace_page": namespace_page(request.user, row.cluster, row.namespace),
        "only_looks": only_looks(request.user, row),
        "actions": object_registry.actions_for(request.user, row),
        "list_tab": tab_of(row.resource),
        "stale": row.cluster.status == ClusterStatus.UNREACHABLE,
        "moving": row.health == "moving",
        "fresh": freshness(row.cluster),
        **chosen.context(request, row),
    }
    head, rows = "clusters/objects/head.html", "clusters/detail_tab.html"
    if context.get("still"):
        # What was asked of the cluster for this page is not asked again every few seconds.
        context["live"] = render_to_string(head, context, request)
        context["live_rows"] = render_to_string(rows, context, request)
        return render(request, "clusters/objects/page.html", context)
    return live_page(request, "clusters/objects/page.html", head, context, rows=rows)
