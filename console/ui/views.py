"""The theme and language switches, for visitors too; kept in the profile and in a cookie."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.accounts.permissions import PUBLIC, requires
from console.ui.context import THEME_COOKIE, THEMES

YEAR = 365 * 24 * 3600


@requires(POST=PUBLIC)
def theme(request: HttpRequest) -> HttpResponse:
    """Set the theme ("", "light" or "dark") and go back to the page."""
    choice = request.POST.get("theme", "")
    if choice not in THEMES:
        return HttpResponseBadRequest(_("The theme is one of: system, light, dark."))
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(theme=choice)
    return _remember(_back(request), THEME_COOKIE, choice)


@requires(POST=PUBLIC)
def language(request: HttpRequest) -> HttpResponse:
    """Set the language and go back to the page."""
    choice = request.POST.get("language", "")
    if choice not in dict(settings.LANGUAGES):
        return HttpResponseBadRequest(_("This language is not available."))
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=choice)
    return _remember(_back(request), settings.LANGUAGE_COOKIE_NAME, choice)


def _back(request: HttpRequest) -> HttpResponse:
    # Only to a page of this console: the address comes from the visitor.
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else "/")


def _remember(response: HttpResponse, name: str, value: str) -> HttpResponse:
    response.set_cookie(
        name,
        value,
        max_age=YEAR,
        samesite="Lax",
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response
