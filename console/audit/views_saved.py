"""Pages of saved views of the audit record."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.accounts.permissions import requires
from console.audit import saved
from console.audit.models_views import SavedView


@requires(GET="audit.view")
def views(request: HttpRequest) -> HttpResponse:
    """All that the person may open; the own ones can be changed."""
    found = saved.views_of(cast(User, request.user))
    return render(request, "audit/views.html", {"views": found})


@requires(GET="audit.view", POST="audit.view")
def add(request: HttpRequest) -> HttpResponse:
    """Keep the filter of the address under a name."""
    owner = cast(User, request.user)
    query = saved.query_of(request.GET)
    if problem := saved.problem_of(query, owner):
        messages.error(request, problem)
        return redirect("audit:list")
    row = SavedView(owner=owner, query=query)
    form = saved.SavedViewForm(request.POST or None, instance=row)
    if form.is_valid() and saved.save(form, request):
        messages.success(request, _("The view “%(name)s” was saved.") % {"name": row.name})
        return redirect(saved.View(row.name, row.query).address)
    context = {"form": form, "filters": saved.described(query)}
    return render(request, "audit/view_form.html", context)


@requires(GET="audit.view", POST="audit.view")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name, or shared or no more."""
    row = _own(request, pk)
    form = saved.SavedViewForm(request.POST or None, instance=row)
    if form.is_valid() and saved.save(form, request):
        messages.success(request, _("The view was changed."))
        return redirect("audit:views")
    # The form has put what was typed into its row.
    kept = SavedView.objects.get(pk=pk)
    context = {"form": form, "row": kept, "filters": saved.described(kept.query)}
    return render(request, "audit/view_form.html", context)


@requires(POST="audit.view")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a view; the events stay, of course."""
    row = _own(request, pk)
    saved.remove(row, request)
    messages.success(request, _("The view “%(name)s” was deleted.") % {"name": row.name})
    return redirect("audit:views")


def _own(request: HttpRequest, pk: int) -> SavedView:
    """The person's own view; somebody else's is absent, or forbidden where it is shared."""
    user = cast(User, request.user)
    row = get_object_or_404(saved.visible(user), pk=pk)
    if row.owner_id != user.pk:
        raise PermissionDenied(_("Only its owner changes a shared view."))
    return row
