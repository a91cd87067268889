"""The list of clusters and the page of one, both from SQL alone."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from clusters.filters import ClusterFilter
from clusters.import_page import rights_of
from clusters.live_page import live_page
from clusters.metrics.latest import latest
from clusters.models import Cluster, ClusterStatus, Node
from clusters.models_metrics import Of
from clusters.rights import reachable_clusters, sees_all
from clusters.tables import clusters_with_nodes, node_rows
from clusters.tabs import OPERATIONS, registry
from clusters.topology import topology
from clusters.views_lists import nodes_with_pages
from console.accounts.permissions import requires
from console.ui.lists import keyset

SORTS = ("name", "status", "version", "profile", "-created")
MOVING = (ClusterStatus.PROVISIONING, ClusterStatus.DELETING)


@requires(GET="clusters.view")
def cluster_list(request: HttpRequest) -> HttpResponse:
    """All clusters, filtered and sorted by the address; htmx asks again for what changed."""
    filters = ClusterFilter(request.GET, queryset=clusters_with_nodes().select_related("figures"))
    page = keyset(request, filters.qs, sorts=SORTS)
    context = {
        "page": page,
        "form": filters.form,
        "live_clusters": "all",
        "moving": any(cluster.status in MOVING for cluster in page),
    }
    return live_page(request, "clusters/list.html", "clusters/list_rows.html", context)


@requires(GET="clusters.view", in_namespaces=True)
def cluster_detail(request: HttpRequest, pk: int, tab: str = "") -> HttpResponse:
    """One cluster: status, actions, what to do now, and the chosen tab, at first the overview.

    Whoever sees only namespaces of it gets the lists of what is in these, and no more of the
    cluster than its name and whether it answers.
    """
    cluster = get_object_or_404(reachable_clusters(request.user).select_related("figures"), pk=pk)
    tabs = registry.tabs_for(request.user, cluster)
    chosen = next((t for t in tabs if tab in ("", t.id)), None)
    if chosen is None:
        raise Http404
    notices = registry.notices_for(request, cluster)
    whole = sees_all(request.user)
    context = {
        "sees_all": whole,
        "cluster": cluster,
        "live_clusters": cluster.pk,
        "tabs": [(t, t.count(cluster) if t.count and whole else None) for t in tabs if not t.group],
        "operation_tabs": [
            (t, t.count(cluster) if t.count else None) for t in tabs if t.group == OPERATIONS
        ],
        "tab": chosen,
        "actions": registry.actions_for(request.user, cluster),
        "notices": notices,
        # A notice that is about something else leaves the status its reason.
        "explained": any(not notice.get("aside") for notice in notices),
        "node_links": registry.node_links_for(request.user, cluster),
        "moving": cluster.status in MOVING,
        "stale": cluster.status == ClusterStatus.UNREACHABLE,
        **chosen.context(request, cluster),
    }
    return live_page(
        request,
        "clusters/detail.html",
        "clusters/detail_live.html",
        context,
        rows="clusters/detail_tab.html",
    )


def overview_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the overview tab shows."""
    rights = rights_of(cluster)
    return {"topology": topology(cluster), "nodes": _nodes(cluster), "rights": rights}


def nodes_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the nodes tab shows."""
    found = latest(cluster, (Of.NODE,))
    uses = {name: use for (_of, _namespace, name), use in found.items()}
    return {
        "nodes": node_rows(_nodes(cluster), uses),
        "node_pages": nodes_with_pages(cluster),
        "with_use": bool(uses),
    }


def _nodes(cluster: Cluster) -> Any:
    return Node.objects.filter(cluster=cluster).order_by("name")
