"""A workload's rollout: where it stands, its revisions, and the way back to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from clusters.kube import KubeError
from clusters.kube.rollouts import History, Revision, history, rollback
from clusters.manifest_text import difference
from clusters.models import Object
from clusters.object_actions import ROLLED
from clusters.operate import (
    address_of,
    connection,
    path_of,
    perform,
    refuse_by_role,
    user_of,
)
from clusters.rights import object_or_404
from clusters.views_workloads import not_for_this, page
from console.accounts.permissions import requires

MOST_SETS = 10


@dataclass(frozen=True)
class Rollout:
    """Where a rollout stands, from the inventory alone.

    Numbers of pods; waits: sentences about what it waits for; sets: its
    ReplicaSets that have pods, the newest first; moving: whether it goes on.
    """

    desired: int
    updated: int
    ready: int
    available: int
    moving: bool
    paused: bool
    stalled: str
    waits: list[str]
    sets: list[Object]


def rollout_of(row: Object) -> Rollout:
    """The rollout of a workload as the watcher last saw it."""
    summary = row.summary or {}
    desired = _int(summary.get("desired"))
    updated, ready = _int(summary.get("updated")), _int(summary.get("ready"))
    available = _int(summary.get("available"))
    paused = bool(summary.get("paused"))
    stalled = next(
        (
            str(c.get("message") or c.get("reason"))
            for c in summary.get("conditions") or []
            if isinstance(c, dict) and c.get("type") == "Progressing" and c.get("status") == "False"
        ),
        "",
    )
    waits = []
    if _int(summary.get("observed")) < _int(summary.get("generation")):
        waits.append(_("the controller has not seen the last change yet"))
    if updated < desired:
        waits.append(
            _("%(n)d of %(of)d pods have the new template") % {"n": updated, "of": desired}
        )
    if (old := _int(summary.get("current")) - updated) > 0 and row.resource != "daemonsets.apps":
        waits.append(_("%(n)d pods of the old template are still to end") % {"n": old})
    if available < updated:
        waits.append(
            _("%(n)d of %(of)d updated pods are available") % {"n": available, "of": updated}
        )
    sets = Object.objects.filter(
        cluster_id=row.cluster_id, resource="replicasets.apps", owner_uid=row.uid
    )
    with_pods = [
        one
        for one in sets[:200]
        if _int(one.summary.get("desired")) or _int(one.summary.get("current"))
    ]
    # Rolled back to, an old ReplicaSet is the new one again: the revision tells, not its age.
    with_pods.sort(key=lambda one: (_int(one.summary.get("revision")), one.created), reverse=True)
    return Rollout(
        desired, updated, ready, available, bool(waits) and not paused and not stalled, paused,
        stalled, waits, with_pods[:MOST_SETS] if row.uid else [],
    )  # fmt: skip


@requires(GET="clusters.view", in_namespaces=True)
def rollout(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """Where the rollout stands, and the revisions that the cluster keeps."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    past, error = _history(request, row)
    return page(
        request, "operations/rollout.html", row, error, past=past, rollout=rollout_of(row)
    )  # fmt: skip


@requires(GET="clusters.view", in_namespaces=True)
def rollout_state(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """The part of the page that changes by itself; from SQL alone."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    context = {"row": row, "rollout": rollout_of(row)}
    return render(request, "operations/_rollout_state.html", context)


@requires(GET="clusters.operate", POST="clusters.operate", in_namespaces=True)
def roll_back(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str, revision: int
) -> HttpResponse:
    """The difference between the template of now and that of a revision, then the way back."""
    row = object_or_404(request.user, pk, resource, namespace, name)
    user = user_of(request)
    if request.method == "POST":
        try:
            refuse_by_role(user, "update", row)
            seen = _int(request.POST.get("generation"))
            perform(
                row, "object.rolled_back",
                lambda conn: rollback(
                    conn, row.kind, path_of(row), row.namespace, revision, seen
                ),
                user=user, request=request,
            )  # fmt: skip
        except KubeError as caught:
            return _rollback_page(request, row, revision, caught)
        messages.success(
            request,
            _("%(name)s goes back to revision %(n)d.") % {"name": row.name, "n": revision},
        )
        return redirect(f"{address_of(row)}rollout/")
    return _rollback_page(request, row, revision, None)


def _rollback_page(
    request: HttpRequest, row: Object, number: int, said: KubeError | None
) -> HttpResponse:
    past, error = _history(request, row)
    wanted: Revision | None = None
    diff = ""
    if past is not None:
        try:
            wanted = past.revision(number)
            diff = difference(past.template, wanted.template)
        except KubeError as caught:
            error = caught
    more: dict[str, Any] = {"past": past, "wanted": wanted, "diff": diff, "number": number}
    return page(request, "operations/rollback.html", row, said or error, **more)


def _history(request: HttpRequest, row: Object) -> tuple[History | None, KubeError | None]:
    try:
        if row.resource not in ROLLED:
            raise not_for_this(row, _("Rollout"))
        conn = connection(row.cluster, user_of(request), 5.0)
        return history(conn, row.kind, path_of(row), row.namespace), None
    except KubeError as error:
        return None, error


def _int(value: Any) -> int:
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
