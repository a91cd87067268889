"""Whether people can act inside a cluster, and the YAML that lets them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from clusters import access
from clusters.manifest_text import dump
from clusters.models import Cluster, Object
from clusters.rights import object_or_404, visible_clusters, why_not_here
from console.accounts.permissions import requires


@requires(GET="clusters.view")
def access_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The state, and the roles as YAML."""
    cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
    state = cluster.access if isinstance(cluster.access, dict) else {}
    context = {
        "cluster": cluster,
        "state": state.get("state") or access.UNKNOWN,
        "reason": access.problem(cluster),
        "yaml": access_yaml(cluster),
    }
    return render(request, "operations/access.html", context)


@requires(GET="clusters.operate")
def of_object(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """From an object's page to its cluster's access."""
    object_or_404(request.user, pk, resource, namespace, name)
    return redirect("clusters:access", pk=pk)


def access_yaml(cluster: Cluster) -> str:
    """Every role and binding, for kubectl apply; with those of the namespaces as last seen."""
    names = Object.objects.filter(cluster=cluster, resource="namespaces")
    found = access.manifests(cluster, names.values_list("name", flat=True))
    return "---\n".join(dump(manifest) for manifest in found)


def place_notice(request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """What the page of the console's own cluster says to those who only look there."""
    reason = why_not_here(request.user, "clusters.operate", cluster)
    return {"place_reason": reason} if reason else None


def notice(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """What the cluster's page says when people cannot act; the cluster's own trouble goes first."""
    reason = "" if cluster.status_reason else access.problem(cluster)
    return {"access_reason": reason} if reason else None
