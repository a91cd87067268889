"""The list of clusters and the page of one, both from SQL alone."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string

from clusters.filters import ClusterFilter
from clusters.models import Cluster, ClusterStatus, Node
from clusters.tables import clusters_with_nodes, node_rows
from clusters.tabs import registry
from clusters.topology import topology
from console.accounts.permissions import requires
from console.ui.lists import keyset

SORTS = ("name", "status", "version", "profile", "-created")
MOVING = (ClusterStatus.PROVISIONING, ClusterStatus.DELETING)
# Relative times pass by without anything having changed.
_TIME = re.compile(r"(<time[^>]*>)[^<]*")


@requires(GET="clusters.view")
def cluster_list(request: HttpRequest) -> HttpResponse:
    """All clusters, filtered and sorted by the address; htmx asks again for what changed."""
    filters = ClusterFilter(request.GET, queryset=clusters_with_nodes())
    page = keyset(request, filters.qs, sorts=SORTS)
    context = {
        "page": page,
        "form": filters.form,
        "moving": any(cluster.status in MOVING for cluster in page),
    }
    return _live(request, "clusters/list.html", "clusters/list_rows.html", context)


@requires(GET="clusters.view")
def cluster_detail(request: HttpRequest, pk: int, tab: str = "overview") -> HttpResponse:
    """One cluster: status, actions, what to do now, and the chosen tab."""
    cluster = get_object_or_404(Cluster, pk=pk)
    tabs = registry.tabs_for(request.user, cluster)
    chosen = next((t for t in tabs if t.id == tab), None)
    if chosen is None:
        raise Http404
    context = {
        "cluster": cluster,
        "tabs": [(t, t.count(cluster) if t.count else None) for t in tabs],
        "tab": chosen,
        "actions": registry.actions_for(request.user, cluster),
        "notices": registry.notices_for(request, cluster),
        "node_links": registry.node_links_for(request.user, cluster),
        "moving": cluster.status in MOVING,
        "stale": cluster.status == ClusterStatus.UNREACHABLE,
        **chosen.context(request, cluster),
    }
    return _live(request, "clusters/detail.html", "clusters/detail_live.html", context)


def overview_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the overview tab shows."""
    return {"topology": topology(cluster), "nodes": _nodes(cluster)}


def nodes_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the nodes tab shows."""
    return {"nodes": node_rows(_nodes(cluster))}


def _nodes(cluster: Cluster) -> Any:
    return Node.objects.filter(cluster=cluster).order_by("name")


def _live(request: HttpRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or for its own poll (?live=stamp) the part that may have changed.

    204 tells htmx to leave everything as it is, the reader's selection included.
    """
    known = request.GET.get("live", "")
    query = request.GET.copy()
    query.pop("live", None)
    # The poll's own parameter is in no link and no filter.
    request.GET = query  # type: ignore[assignment]
    html = render_to_string(part, context, request)
    stamp = hashlib.sha256(_TIME.sub(r"\1", html).encode()).hexdigest()[:16]
    query["live"] = stamp
    context |= {"live": html, "live_url": f"{request.path}?{query.urlencode()}"}
    if not known:
        return render(request, page, context)
    if known == stamp:
        return HttpResponse(status=204)
    return render(request, "clusters/live.html", context)
