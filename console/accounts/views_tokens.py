"""API tokens: the own ones, and for admins everybody's."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from console.accounts.confirm import confirm_password, is_confirmed
from console.accounts.forms import TokenForm
from console.accounts.models import ApiToken, User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.audit.record import record


@requires(GET=SIGNED_IN)
def tokens(request: HttpRequest) -> HttpResponse:
    """The list, with the form for a new one."""
    user = cast(User, request.user)
    context = {
        "form": TokenForm(user=user),
        "tokens": ApiToken.objects.filter(user=user),
        "others": _of_others(user),
        "confirmed": is_confirmed(request),
    }
    return render(request, "accounts/tokens.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
@confirm_password
@never_cache
def token_create(request: HttpRequest) -> HttpResponseBase:
    """A new token; its plain text is in this one answer and nowhere else."""
    user = cast(User, request.user)
    form = TokenForm(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        context = {
            "form": form,
            "tokens": ApiToken.objects.filter(user=user),
            "others": _of_others(user),
            "confirmed": True,
        }
        return render(request, "accounts/tokens.html", context)
    with transaction.atomic():
        token, plain = ApiToken.issue(user, form.cleaned_data["name"], form.cleaned_data["days"])
        after = {"name": token.name, "hint": token.hint, "expires": token.expires}
        record("token.created", token, request=request, after=after)
    context = {"token": token, "plain": plain}
    return render(request, "accounts/token_created.html", context)


@requires(POST=SIGNED_IN)
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one's own token; an admin anybody's. It stops working with the next request."""
    user = cast(User, request.user)
    theirs = ApiToken.objects.all() if allowed(user, "users.change") else user.api_tokens.all()
    with transaction.atomic():
        token = get_object_or_404(theirs.select_related("user"), pk=pk)
        if ApiToken.objects.filter(pk=pk, revoked=None).update(revoked=timezone.now()):
            owner = {"name": token.name, "owner": token.user.get_username()}
            record("token.revoked", token, request=request, before=owner)
    messages.success(request, _("The token “%(name)s” was revoked.") % {"name": token.name})
    return redirect("accounts:tokens")


def _of_others(user: User) -> list[ApiToken]:
    if not allowed(user, "users.change"):
        return []
    return list(ApiToken.objects.exclude(user=user).select_related("user")[:500])
