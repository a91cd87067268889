"""What is done to one object: a page that says what will happen, and the act itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from clusters import access
from clusters.forms_workloads import DeleteForm, ScaleForm
from clusters.kube import KubeError
from clusters.kube.workloads_api import autoscalers, delete, hint, scale
from clusters.models import Object
from clusters.object_actions import NODES, SCALED, SIMPLE
from clusters.operate import (
    NotAllowed,
    NotPossible,
    address_of,
    connection,
    path_of,
    perform,
    refuse_by_role,
    user_of,
)
from clusters.rights import object_or_404
from console.accounts.permissions import requires

OWNERS = (
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
)
MOST_NAMED = 20


def page(
    request: HttpRequest, template: str, row: Object, error: KubeError | None = None, **more: Any
) -> HttpResponse:
    """A page about one object; error: what did not go well, said on top.

    Its status is 403 when only admins may do it there.
    """
    context = {
        "row": row,
        "cluster": row.cluster,
        "back": address_of(row),
        "error": error,
        "no_access": access.problem(row.cluster),
        **more,
    }
    status = 403 if isinstance(error, NotAllowed) else 200
    return render(request, template, context, status=status)


def not_for_this(row: Object, label: object) -> NotPossible:
    """The refusal of an action that the object's kind or state does not have."""
    return NotPossible(
        _("“%(action)s” is not possible for the %(kind)s %(name)s as it is now.")
        % {"action": label, "kind": row.kind, "name": row.name},
        _("Look at its page: its state may have changed."),
    )


@requires(GET="clusters.operate", POST="clusters.operate", in_namespaces=True)
def simple(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str, action: str
) -> HttpResponse:
    """Restart, pause, resume, suspend, run, cordon, uncordon: say what happens, then do it."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    wanted, user = SIMPLE[action], user_of(request)
    error: KubeError | None = None
    try:
        verb, other = wanted.right
        refuse_by_role(user, verb, row, other)
        if not wanted.fits(row):
            raise not_for_this(row, wanted.label)
        if request.method == "POST":
            effect = perform(
                row, wanted.audit, lambda conn: wanted.call(conn, row), user=user, request=request
            )
            said = str(wanted.done) % {"name": row.name, "made": effect.name}
            messages.success(request, said)
            return redirect(address_of(row))
    except KubeError as caught:
        error = caught
    may = error is None or not isinstance(error, NotPossible)
    return page(request, "operations/simple.html", row, error, action=wanted, may=may)


@requires(GET="clusters.operate", POST="clusters.operate")
def simple_on_node(request: HttpRequest, **address: Any) -> HttpResponse:
    """Cordon and uncordon: nodes are in no namespace."""
    return simple(request, **address)


@requires(GET="clusters.operate", POST="clusters.operate", in_namespaces=True)
def scale_object(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """How many replicas; says when an autoscaler would change it back."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    user, error = user_of(request), None
    form = ScaleForm(request.POST or None, initial={"replicas": row.summary.get("desired")})
    scalers: list[str] | None = []
    try:
        refuse_by_role(user, "patch", row, _scale_of(row.resource))
        if row.resource not in SCALED:
            raise not_for_this(row, _("Scale"))
        if request.method == "POST" and form.is_valid():
            replicas = form.cleaned_data["replicas"]
            perform(
                row, "object.scaled", lambda conn: scale(conn, path_of(row), replicas),
                user=user, request=request,
            )  # fmt: skip
            messages.success(
                request, _("%(name)s is scaled to %(n)d.") % {"name": row.name, "n": replicas}
            )
            return redirect(address_of(row))
        scalers = hint(
            lambda: autoscalers(
                connection(row.cluster, user, 3.0), row.namespace, row.kind, row.name
            )
        )
    except KubeError as caught:
        error = caught
    may = not isinstance(error, NotPossible)
    return page(
        request, "operations/scale.html", row, error, form=form, scalers=scalers, may=may
    )  # fmt: skip


@requires(GET="clusters.operate", POST="clusters.operate", in_namespaces=True)
def delete_object(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """Delete an object: what goes with it from SQL, how, and its name letter by letter."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    user, error = user_of(request), None
    owns = row.resource in OWNERS
    form = DeleteForm(request.POST or None, expected=row.name, owns=owns)
    try:
        refuse_by_role(user, "delete", row)
        if row.resource == NODES:
            raise NotPossible(
                _("A node is not deleted here: its machine would go on running."),
                _("Drain it, then remove it on the cluster's page."),
            )
        if request.method == "POST" and form.is_valid():
            how = form.cleaned_data.get("propagation", "Background")
            perform(
                row, "object.deleted", lambda conn: delete(conn, path_of(row), row.uid, how),
                user=user, request=request,
            )  # fmt: skip
            messages.success(request, _("%(name)s is being deleted.") % {"name": row.name})
            return redirect("clusters:detail", pk=pk)
    except KubeError as caught:
        error = caught
    may = not isinstance(error, NotPossible)
    losses = [_("The %(kind)s %(name)s itself.") % {"kind": row.kind, "name": row.name}]
    return page(
        request, "operations/delete.html", row, error, form=form, may=may,
        object_name=row.name, losses=[*losses, *going_with(row)],
    )  # fmt: skip


def going_with(row: Object) -> list[str]:
    """What the cluster removes together with an object, as the inventory knows it."""
    everything = Object.objects.filter(cluster_id=row.cluster_id)
    if row.resource == "namespaces":
        kinds = Counter(everything.filter(namespace=row.name).values_list("kind", flat=True))
        return [
            _("%(count)d × %(kind)s in this namespace") % {"kind": kind, "count": count}
            for kind, count in sorted(kinds.items())
        ]
    if not row.uid:
        return []
    if row.namespace:
        everything = everything.filter(namespace=row.namespace)
    found: list[tuple[str, str]] = []
    parents = [row.uid]
    for _level in range(3):  # a CronJob's Jobs' pods
        children = everything.filter(owner_uid__in=parents)
        rows = list(children.values_list("kind", "name", "uid")[:2000])
        found += [(kind, name) for kind, name, _uid in rows]
        parents = [uid for _kind, _name, uid in rows if uid]
        if not parents:
            break
    named = [f"{kind} {name}" for kind, name in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        named.append(_("and %(count)d more") % {"count": len(found) - MOST_NAMED})
    return named


def _scale_of(resource: str) -> str:
    plural, dot, group = resource.partition(".")
    return f"{plural}/scale{dot}{group}"
