"""Dangerous pages ask for the password again when it was given too long ago."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from console.accounts.sessions import CONFIRMED

F = TypeVar("F", bound=Callable[..., HttpResponseBase])


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the password was given in this session within the time that settings name."""
    given = request.session.get(CONFIRMED)
    return isinstance(given, int) and time.time() <= given + settings.CONFIRM_PASSWORD_SECONDS


def mark_confirmed(request: HttpRequest) -> None:
    """Note that the password was just given."""
    request.session[CONFIRMED] = int(time.time())


def confirm_password(view: F) -> F:
    """Decorator: the page opens only after the password was given recently.

    Otherwise the person gives it first and comes back to the page they were on.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_confirmed(request):
            return view(request, *args, **kwargs)
        return _ask(request)

    return guarded  # type: ignore[return-value]


class Confirmed(BasePermission):
    """The same for API actions that a browser's session may reach; tokens pass.

    permission_classes = [Declared, Confirmed] on the dangerous action.
    """

    message = _("Give your password again first: this can do harm.")

    def has_permission(self, request: Request, _view: Any) -> bool:
        """False for a session in which the password was given too long ago."""
        return request.auth is not None or is_confirmed(request._request)


def local_path(request: HttpRequest, address: str) -> str:
    """The address when it leads to a page of this console, else the empty text."""
    safe = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if safe else ""


def page_behind(request: HttpRequest) -> str:
    """The page to come back to: this one, or for a sent form the page it was sent from."""
    if request.method in ("GET", "HEAD") and request.headers.get("HX-Request") != "true":
        return request.get_full_path()
    sender = request.headers.get("HX-Current-URL") or request.headers.get("referer", "")
    parts = urlsplit(sender)
    if parts.netloc != request.get_host():
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def redirect_whole_page(request: HttpRequest, to: str) -> HttpResponseBase:
    """A redirect that also leaves the page when htmx asked for a part of it."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": to})
    return HttpResponseRedirect(to)


def _ask(request: HttpRequest) -> HttpResponseBase:
    query = urlencode({"next": page_behind(request)})
    return redirect_whole_page(request, f"{reverse('accounts:confirm-password')}?{query}")
