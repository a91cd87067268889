"""What runs in a tenant's namespace, for its people: lists from SQL, as fresh as the watcher's."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from clusters import cells
from clusters.filters_objects import ObjectFilter
from clusters.inventory.kinds import KINDS, WORKLOADS
from clusters.models import Object
from clusters.rights import may, visible_objects
from console.accounts.permissions import SIGNED_IN, requires
from console.ui.lists import keyset
from tenancy.permissions import DEPLOY, rights
from tenancy.views_namespaces import namespace_or_404

SECRETS = "secrets"
COUNTED = ("pods", *WORKLOADS)


@requires(GET=SIGNED_IN)
def contents(request: HttpRequest, pk: int) -> HttpResponse:
    """The namespace's objects with status and cause; names of secrets for those who deploy."""
    namespace = namespace_or_404(request.user, pk)
    deploys = DEPLOY in rights(request.user, namespace.tenant)
    shown = [
        kind.resource for kind in KINDS if kind.namespaced and (deploys or kind.resource != SECRETS)
    ]
    form = ObjectFilter(request.GET, shown)
    for name in ("namespace", "node", "labels"):
        form.fields.pop(name, None)
    # Not what is in somebody else's namespace, whose name the tenant only wished to have.
    here = visible_objects(request.user).filter(
        cluster=namespace.cluster_id, namespace=namespace.name
    )
    page = keyset(request, form.rows(here), sorts=("name", "status", "-created"), keys_first=True)
    links = may(request.user, "clusters.view", namespace.cluster, namespace.name)
    context = {
        "namespace": namespace,
        "form": form,
        "page": page,
        "rows": [row_of(row, links=links) for row in page],
    }
    return render(request, "tenancy/namespace_contents.html", context)


def row_of(row: Object, *, links: bool) -> dict[str, object]:
    """The cells of an object's line. links: whether the reader may open its page."""
    counted = row.resource in COUNTED
    return {
        "object": row,
        "name": cells.name(row) if links else row.name,
        "status": cells.status(row),
        "ready": cells.ready(row) if counted else SafeString(""),
        "restarts": cells.restarts(row) if row.resource == "pods" else SafeString(""),
    }
