"""The figures behind the charts, as JSON from SQL alone."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404

from clusters.metrics.history import KINDS_OF, Subject
from clusters.metrics_page import panel_of
from clusters.rights import visible_clusters
from console.accounts.permissions import requires


@requires(GET="clusters.view")
def metrics_data(request: HttpRequest, pk: int) -> HttpResponse:
    """Times, figures, lines to compare with and the table's texts of one subject."""
    cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
    asked = {key: request.GET.get(key, "")[:253] for key in ("namespace", "name", "kind")}
    of = request.GET.get("of", "cluster")
    if of not in KINDS_OF or "\x00" in "".join(asked.values()):
        raise Http404
    subject = Subject(of, **asked)
    return JsonResponse(panel_of(cluster, subject, request.GET.get("range", "")).as_json())
