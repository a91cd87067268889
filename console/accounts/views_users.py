"""Users, for admins; auditors see the list."""

from __future__ import annotations

import secrets
from typing import cast

from axes.utils import reset as forget_failures
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from console.accounts import sessions
from console.accounts.confirm import confirm_password
from console.accounts.forms import UserEditForm, UserForm
from console.accounts.models import Role, User
from console.accounts.permissions import requires
from console.audit.record import record, snapshot


def random_password() -> str:
    """120 random bits that can be typed."""
    return "-".join(secrets.token_hex(3) for _group in range(5))


@requires(GET="users.view")
def users(request: HttpRequest) -> HttpResponse:
    """Everybody who may sign in."""
    context = {"users": User.objects.order_by("-is_active", "username"), "roles": Role.choices}
    return render(request, "accounts/users.html", context)


@requires(GET="users.change", POST="users.change")
@confirm_password
@never_cache
def user_create(request: HttpRequest) -> HttpResponseBase:
    """A new user with a random first password, which this one answer shows."""
    form = UserForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        plain = random_password()
        with transaction.atomic():
            user = form.save(commit=False)
            user.set_password(plain)
            user.must_change_password = True
            user.save()
            record("user.created", user, request=request, after=user)
        context = {"person": user, "plain": plain, "created": True}
        return render(request, "accounts/user_password.html", context)
    context = {"form": form, "person": None}
    return render(request, "accounts/user_form.html", context)


@requires(GET="users.change", POST="users.change")
@confirm_password
def user_edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Name, role and whether the user is active."""
    actor = cast(User, request.user)
    with transaction.atomic():
        # Locked together: two admins that demote each other must not both succeed.
        list(User.objects.select_for_update().filter(role=Role.ADMIN).values_list("pk"))
        person = get_object_or_404(User, pk=pk)
        before = snapshot(person)
        form = UserEditForm(
            request.POST if request.method == "POST" else None, instance=person, actor=actor
        )
        if form.is_valid():
            user = form.save()
            if not user.is_active:
                sessions.end_all(user)
            record("user.changed", user, request=request, before=before, after=user)
            messages.success(request, _("%(name)s was saved.") % {"name": user.get_username()})
            return redirect("accounts:users")
    context = {"form": form, "person": get_object_or_404(User, pk=pk)}
    return render(request, "accounts/user_form.html", context)


@requires(POST="users.change")
@confirm_password
@never_cache
def user_reset_password(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A new random password; ends the user's sessions and a lockout."""
    plain = random_password()
    with transaction.atomic():
        user = get_object_or_404(User, pk=pk)
        user.set_password(plain)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        sessions.end_all(user)
        record("user.password_reset", user, request=request)
    forget_failures(username=user.get_username())
    context = {"person": user, "plain": plain, "created": False}
    return render(request, "accounts/user_password.html", context)
