"""The page that edits one object's YAML: text, difference, save."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from clusters import object_edit
from clusters.forms_manifests import EditForm
from clusters.kube import Conflict, KubeError
from clusters.manifest_text import Refused
from clusters.models import Object
from clusters.operate import address_of, connection, perform, refuse_by_role, user_of
from clusters.rights import object_or_404
from clusters.views_workloads import page
from console.accounts.permissions import requires

TEMPLATE = "operations/edit.html"


@requires(GET="clusters.operate", POST="clusters.operate", in_namespaces=True)
def edit(request: HttpRequest, pk: int, resource: str, namespace: str, name: str) -> HttpResponse:
    """GET: the live YAML. POST step=review: the difference; rebase: on the current version; save.

    Whatever goes wrong, what was typed stands in the field again.
    """
    row = object_or_404(request.user, pk, resource, namespace, name)
    user = user_of(request)
    try:
        object_edit.refuse_secrets(row)
        refuse_by_role(user, "update", row)
        if request.method != "POST":
            text = object_edit.text_of(connection(row.cluster, user), row)
            return page(request, TEMPLATE, row, form=EditForm(initial={"text": text, "base": text}))
    except KubeError as error:
        form = EditForm(request.POST) if request.method == "POST" else None
        return page(request, TEMPLATE, row, error, form=form)
    return _typed(request, row)


def _typed(request: HttpRequest, row: Object) -> HttpResponse:
    form = EditForm(request.POST)
    error: KubeError | None = None
    if form.is_valid():
        # Browsers send lines that end in CR LF.
        text, base = (form.cleaned_data[field].replace("\r\n", "\n") for field in ("text", "base"))
        try:
            return _step(request, row, request.GET.get("step", "review"), text, base)
        except Refused as refused:
            for problem in refused.problems:
                form.add_error("text", str(problem))
        except Conflict as conflict:
            return _conflict(request, row, form, base, conflict)
        except KubeError as caught:
            error = caught
    return page(request, TEMPLATE, row, error, form=form)


def _step(request: HttpRequest, row: Object, step: str, text: str, base: str) -> HttpResponse:
    """Raises Refused, Conflict or another KubeError."""
    user = user_of(request)
    if step == "rebase":
        current = object_edit.text_of(connection(row.cluster, user), row)
        text, base = object_edit.rebased(text, current), current
    body = object_edit.body_of(row, text)
    if step == "save":
        perform(
            row, "object.edited", lambda conn: object_edit.saved(conn, row, body),
            user=user, request=request,
        )  # fmt: skip
        messages.success(request, _("%(name)s is saved.") % {"name": row.name})
        return redirect(address_of(row))
    diff = object_edit.tried(connection(row.cluster, user), row, body)
    more: dict[str, Any] = {"diff": diff, "reviewed": True}
    form = EditForm({"text": text, "base": base})
    form.is_valid()
    return page(request, TEMPLATE, row, form=form, **more)


def _conflict(
    request: HttpRequest, row: Object, form: EditForm, base: str, said: Conflict
) -> HttpResponse:
    """What others changed meanwhile, beside what was typed."""
    try:
        clash = object_edit.clash(connection(row.cluster, user_of(request)), row, base)
    except KubeError as error:
        return page(request, TEMPLATE, row, error, form=form)
    return page(request, TEMPLATE, row, None, form=form, clash=clash, said=said)
