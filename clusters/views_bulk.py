"""One action on several chosen objects: what will happen, then each one's result."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _

from clusters import access
from clusters.forms_workloads import ScaleForm
from clusters.kube import KubeError
from clusters.listings import tab_of
from clusters.operate import NotAllowed, user_of
from clusters.rights import reachable_clusters
from clusters.several import MOST, chosen, named, run
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm

TITLES = {
    "restart": _("Restart several workloads"),
    "scale": _("Scale several workloads"),
    "delete": _("Delete several objects"),
}
SUBMITS = {"restart": _("Restart them"), "scale": _("Scale them"), "delete": _("Delete them")}


@requires(POST="clusters.operate", in_namespaces=True)
def several(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """POST with repeated objects=<resource>/<namespace or ->/<name>; confirmed=yes does it.

    For a deletion the cluster's name must be typed.
    """
    cluster = get_object_or_404(reachable_clusters(request.user), pk=pk)
    words = named(request)
    rows = chosen(user_of(request), cluster, words)
    confirmed = bool(request.POST.get("confirmed"))
    sent = request.POST if confirmed else None
    scale = ScaleForm(sent) if action == "scale" else None
    confirm = ConfirmNameForm(sent, expected=cluster.name) if action == "delete" else None
    form = scale or confirm
    context: dict[str, Any] = {
        "cluster": cluster,
        "action": action,
        "title": TITLES[action],
        "submit": SUBMITS[action],
        "rows": rows,
        "form": form,
        "most": MOST,
        "cut": len(words) > MOST,
        "no_access": access.problem(cluster),
        "tab": tab_of(words[0].partition("/")[0]) if words else "overview",
    }
    if confirmed and rows and (form is None or form.is_valid()):
        replicas = scale.cleaned_data["replicas"] if scale else None
        try:
            context["results"] = run(cluster, action, rows, replicas=replicas, request=request)
        except KubeError as error:
            context["error"] = error
    refused = [isinstance(one.error, NotAllowed) for one in context.get("results", ())]
    status = 403 if refused and all(refused) else 200
    return render(request, "operations/bulk.html", context, status=status)
