"""A node's labels and taints."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from clusters.forms_nodes import MarksForm
from clusters.kube import KubeError
from clusters.kube.acting import Acting
from clusters.kube.nodes_api import Marks, marks, set_marks
from clusters.kube.workloads_api import Effect
from clusters.models import Object
from clusters.object_actions import NODES
from clusters.operate import address_of, connection, perform, refuse_by_role, user_of
from clusters.rights import object_or_404
from clusters.views_workloads import not_for_this, page
from console.accounts.permissions import requires


@requires(GET="clusters.operate", POST="clusters.operate")
def edit_marks(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """The labels and taints of a node, asked of the cluster, and changed."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    user, error = user_of(request), None
    form = MarksForm(request.POST) if request.method == "POST" else None
    try:
        refuse_by_role(user, "patch", row)
        if row.resource != NODES:
            raise not_for_this(row, _("Labels and taints"))
        if form is None:
            form = MarksForm.of(marks(connection(row.cluster, user, 5.0), row.name))
        elif form.is_valid():
            change_marks(row, form.cleaned_data["seen"], form.wanted, request)
            messages.success(
                request, _("Labels and taints of %(name)s are set.") % {"name": row.name}
            )
            return redirect(address_of(row))
    except KubeError as caught:
        error = caught
    return page(request, "operations/marks.html", row, error, form=form)


def change_marks(row: Object, seen: Marks, wanted: Marks, request: HttpRequest) -> Effect:
    """Set a node's labels and taints in a person's name. Raises KubeError."""

    def call(conn: Acting) -> Effect:
        set_marks(conn, row.name, seen, wanted)
        return Effect(_changed(seen, wanted), _changed(wanted, seen))

    return perform(row, "node.marked", call, user=user_of(request), request=request)


def _changed(one: Marks, other: Marks) -> dict[str, object]:
    """What `one` has and `other` has not, or not so."""
    found: dict[str, object] = {}
    labels = {k: v for k, v in one.labels.items() if other.labels.get(k) != v}
    if labels:
        found["labels"] = labels
    if one.taints != other.taints:
        found["taints"] = one.taints
    return found
