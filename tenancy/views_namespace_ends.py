"""Pages on which a namespace leaves its tenant, or is brought back to what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import SIGNED_IN, requires
from console.ui.forms import ConfirmNameForm
from tenancy import namespace_actions as actions
from tenancy.forms_namespaces import MoveForm
from tenancy.models import Namespace
from tenancy.namespace_contents import claims, contents
from tenancy.permissions import NAMESPACES
from tenancy.views_namespaces import namespace_or_404

MOST_NAMED = 20


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def namespace_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a namespace, naming what goes with it."""
    user: Any = request.user
    row = namespace_or_404(user, pk, NAMESPACES)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        actions.remove(row, by=user, request=request)
        messages.success(
            request,
            _("“%(name)s” goes as soon as %(cluster)s has deleted what is in it.")
            % {"name": row.name, "cluster": row.cluster},
        )
        return redirect("namespaces:list")
    context = {
        "form": form,
        "namespace": row,
        "object_name": row.name,
        "losses": losses(row),
        "keeps": [
            _("volumes whose storage class keeps them (reclaim policy Retain), and the audit log")
        ],
    }
    return render(request, "tenancy/namespace_delete.html", context)


def losses(row: Namespace) -> list[str]:
    """What goes with a namespace, by what the watcher has seen in it."""
    found = [
        _("%(kind)s: %(count)d") % {"kind": kind, "count": count} for kind, count in contents(row)
    ]
    named = claims(row)
    if named:
        names = ", ".join(claim.name for claim in named[:MOST_NAMED])
        more = " …" if len(named) > MOST_NAMED else ""
        found.insert(
            0,
            _("the data of these volume claims: %(names)s") % {"names": f"{names}{more}"},
        )
    return found or [_("the namespace itself; the watcher has seen nothing in it")]


@requires(GET="tenants.change", POST="tenants.change")
def namespace_release(request: HttpRequest, pk: int) -> HttpResponse:
    """Let go of a namespace, which stays on its cluster."""
    user: Any = request.user
    row = namespace_or_404(user, pk, NAMESPACES)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        actions.release(row, by=user, request=request)
        messages.success(
            request,
            _("“%(name)s” stays on %(cluster)s and will belong to no tenant.")
            % {"name": row.name, "cluster": row.cluster},
        )
        return redirect("namespaces:list")
    context = {
        "form": form,
        "namespace": row,
        "object_name": row.name,
        "losses": [
            _("what %(tenant)s may do in it") % {"tenant": row.tenant},
            _("its quota, its isolation and the defaults of its containers"),
        ],
        "keeps": [_("the namespace itself and everything that runs in it")],
    }
    return render(request, "tenancy/namespace_release.html", context)


@requires(GET="tenants.change", POST="tenants.change")
def namespace_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a namespace to another tenant, where its quota has room."""
    user: Any = request.user
    row = namespace_or_404(user, pk, NAMESPACES)
    form = MoveForm(request.POST or None, namespace=row)
    if form.is_valid():
        target = form.cleaned_data["tenant"]
        try:
            moved = actions.move(row, target, by=user, request=request)
        except actions.NamespaceRefusedError as error:
            form.add_error("tenant", str(error))
        else:
            messages.success(
                request,
                _("“%(name)s” belongs to %(tenant)s now.") % {"name": moved.name, "tenant": target},
            )
            return redirect("namespaces:namespace", pk=pk)
    return render(request, "tenancy/namespace_move.html", {"form": form, "namespace": row})


@requires(POST=SIGNED_IN)
def namespace_mend(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the cluster made as it is wanted again."""
    said = _("%(cluster)s is being made as it is wanted again.")
    return _drift(request, pk, actions.mend, said)


@requires(POST=SIGNED_IN)
def namespace_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was changed by hand."""
    return _drift(request, pk, actions.accept, _("What is on %(cluster)s now is kept."))


def _drift(
    request: HttpRequest, pk: int, action: Callable[..., Namespace], said: str
) -> HttpResponse:
    row = namespace_or_404(request.user, pk, NAMESPACES)
    try:
        action(row, by=request.user, request=request)
    except actions.NamespaceRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said % {"cluster": row.cluster})
    return redirect("namespaces:namespace", pk=pk)
