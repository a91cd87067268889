"""Groups of people, for admins; auditors see them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import Group
from django.db import IntegrityError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.accounts import group_actions as actions
from console.accounts.confirm import confirm_password
from console.accounts.forms_groups import GroupForm, PersonForm
from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset


@requires(GET="users.view")
def groups(request: HttpRequest) -> HttpResponse:
    """All groups with the number of their people."""
    rows = Group.objects.annotate(people=Count("user", filter=Q(user__is_active=True)))
    context = {"page": keyset(request, rows, sorts=("name",))}
    return render(request, "accounts/groups.html", context)


@requires(GET="users.view")
def group(request: HttpRequest, pk: int) -> HttpResponse:
    """One group: its people, and what it gives them."""
    row = get_object_or_404(Group, pk=pk)
    return render(request, "accounts/group.html", _shown(row, PersonForm()))


@requires(GET="users.change", POST="users.change")
@confirm_password
def group_create(request: HttpRequest) -> HttpResponseBase:
    """A new group."""
    form = GroupForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            row = actions.create(form.cleaned_data["name"], request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            return redirect("accounts:group", pk=row.pk)
    return render(request, "accounts/group_form.html", {"form": form, "group": None})


@requires(GET="users.change", POST="users.change")
@confirm_password
def group_rename(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Another name."""
    row = get_object_or_404(Group, pk=pk)
    form = GroupForm(request.POST if request.method == "POST" else None, group=row)
    if form.is_valid():
        try:
            actions.rename(row, form.cleaned_data["name"], request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            return redirect("accounts:group", pk=row.pk)
    return render(request, "accounts/group_form.html", {"form": form, "group": row})


@requires(POST="users.change")
@confirm_password
def group_add_person(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Put somebody into the group."""
    row = get_object_or_404(Group, pk=pk)
    form = PersonForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/group.html", _shown(row, form))
    person = form.cleaned_data["person"]
    actions.add(row, person, request)
    messages.success(
        request,
        _("%(person)s is in the group “%(group)s” now.")
        % {"person": person.get_username(), "group": row.name},
    )
    return redirect("accounts:group", pk=pk)


@requires(POST="users.change")
@confirm_password
def group_take_out(request: HttpRequest, pk: int, user_pk: int) -> HttpResponseBase:
    """Take somebody out of the group."""
    row = get_object_or_404(Group, pk=pk)
    person = get_object_or_404(User, pk=user_pk)
    actions.take_out(row, person, request)
    messages.success(
        request,
        _("%(person)s is no longer in the group “%(group)s”.")
        % {"person": person.get_username(), "group": row.name},
    )
    return redirect("accounts:group", pk=pk)


@requires(GET="users.change", POST="users.change")
@confirm_password
def group_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Remove a group, naming what its people lose."""
    row = get_object_or_404(Group, pk=pk)
    form = ConfirmNameForm(request.POST if request.method == "POST" else None, expected=row.name)
    if form.is_valid():
        try:
            actions.remove(row, request)
        except actions.GroupRefusedError as error:
            messages.error(request, str(error))
            return redirect("accounts:group", pk=pk)
        messages.success(request, _("The group “%(name)s” was removed.") % {"name": row.name})
        return redirect("accounts:groups")
    found = actions.uses_of(row)
    people = actions.people_of(row).count()
    context = {
        "form": form,
        "group": row,
        "refused": [use.needed for use in found if use.needed],
        "object_name": row.name,
        "losses": [use.text for use in found]
        or [_("the group itself; it gives no rights anywhere")],
        "keeps": [
            ngettext("its member's account", "the accounts of its %(n)d members", people)
            % {"n": people}
        ]
        if people
        else [],
    }
    return render(request, "accounts/group_remove.html", context)


def _shown(row: Group, form: PersonForm) -> dict[str, object]:
    return {
        "group": row,
        "form": form,
        "people": actions.people_of(row)[:1000],
        "uses": actions.uses_of(row),
    }
