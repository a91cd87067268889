"""Sign-in, sign-out, the own password and the own profile."""

from __future__ import annotations

import math
from typing import cast

from axes.models import AccessAttempt
from axes.utils import reset as forget_failures
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts import sessions
from console.accounts.confirm import local_path, mark_confirmed
from console.accounts.forms import ConfirmPasswordForm, PasswordForm, ProfileForm, SignInForm
from console.accounts.lockout import counted_name
from console.accounts.models import User
from console.accounts.permissions import PUBLIC, SIGNED_IN, requires
from console.audit.record import record, snapshot

YEAR = 365 * 24 * 3600


@requires(GET=PUBLIC, POST=PUBLIC)
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password; then on to where the person wanted to go."""
    next_page = local_path(request, request.POST.get("next") or request.GET.get("next", ""))
    target = next_page or resolve_url(settings.LOGIN_REDIRECT_URL)
    if request.user.is_authenticated and request.method != "POST":
        return redirect(target)
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        user = form.get_user()
        with transaction.atomic():  # nobody gets in whose sign-in cannot be recorded
            login(request, user)
        response = redirect("accounts:password" if user.must_change_password else target)
        return _remember_language(response, user)
    context = {"form": form, "next": next_page}
    return render(request, "accounts/sign_in.html", context)


@requires(POST=PUBLIC)
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session."""
    with transaction.atomic():
        if isinstance(request.user, User):
            record("auth.sign_out", request.user, request=request)
        logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def locked_out(request: HttpRequest, *_axes: object) -> HttpResponse:
    """The answer while a name is locked out for an address; says until when."""
    credentials = getattr(request, "axes_credentials", None) or {}
    attempt = (
        AccessAttempt.objects.filter(
            username=counted_name(request, credentials),
            ip_address=getattr(request, "axes_ip_address", None),
        )
        .order_by("-attempt_time")
        .first()
    )
    now = timezone.now()
    until = (attempt.attempt_time if attempt else now) + settings.AXES_COOLOFF_TIME
    seconds = max(1, math.ceil((until - now).total_seconds()))
    context = {"until": until, "minutes": math.ceil(seconds / 60)}
    response = render(request, "accounts/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
@never_cache
@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    """A new password: this session goes on, all others of the person end."""
    user = cast(User, request.user)
    forced = user.must_change_password
    form = PasswordForm(
        request.POST if request.method == "POST" else None, request=request, user=user
    )
    if form.is_valid():
        with transaction.atomic():
            user.set_password(form.cleaned_data["new_password1"])
            user.must_change_password = False
            user.save(update_fields=["password", "must_change_password"])
            record("auth.password_changed", user, request=request)
            update_session_auth_hash(request, user)
            mark_confirmed(request)
            sessions.end_all(user, keep=request.session.session_key)
        forget_failures(username=user.get_username())
        messages.success(request, _("Your password was changed. Other sessions were ended."))
        return redirect(settings.LOGIN_REDIRECT_URL if forced else "accounts:profile")
    context = {"form": form, "forced": forced}
    return render(request, "accounts/password.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
@never_cache
@sensitive_post_parameters("password")
def confirm_password(request: HttpRequest) -> HttpResponse:
    """The password once more, then back to the dangerous page."""
    next_page = local_path(request, request.POST.get("next") or request.GET.get("next", ""))
    form = ConfirmPasswordForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid():
        mark_confirmed(request)
        forget_failures(username=request.user.get_username())
        record("auth.password_confirmed", cast(User, request.user), request=request)
        return redirect(next_page or resolve_url(settings.LOGIN_REDIRECT_URL))
    minutes = settings.CONFIRM_PASSWORD_SECONDS // 60
    context = {"form": form, "next": next_page, "minutes": minutes}
    return render(request, "accounts/confirm_password.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def profile(request: HttpRequest) -> HttpResponse:
    """Name, mail address, language and theme of the person who is signed in."""
    # A copy of its own: a form that is refused must not change the page around it.
    user = get_object_or_404(User, username=request.user.get_username())
    before = snapshot(user)
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=user)
    if form.is_valid():
        with transaction.atomic():
            form.save()
            record("user.changed", user, request=request, before=before, after=user)
        messages.success(request, _("Your profile was saved."))
        return _remember_language(redirect("accounts:profile"), user)
    context = {"form": form, "person": request.user}
    return render(request, "accounts/profile.html", context)


def _remember_language(
    response: HttpResponse | HttpResponseRedirect, user: User
) -> HttpResponse | HttpResponseRedirect:
    # The cookie is what Django reads before anybody is signed in.
    if user.language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=YEAR,
            samesite="Lax",
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response
