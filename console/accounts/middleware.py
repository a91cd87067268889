"""Sessions that end by themselves, and pages that open only with the permission they declare."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from rest_framework.views import APIView

from console.accounts import sessions
from console.accounts.confirm import page_behind, redirect_whole_page
from console.accounts.models import User
from console.accounts.permissions import PUBLIC, allowed_at, declared, may_see
from console.audit.record import record

log = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
# What remains open to somebody who must set a new password first.
WITHOUT_OWN_PASSWORD = {"accounts:password", "accounts:sign-out"}


class SessionAgeMiddleware:
    """Ends a session after its idle and after its absolute time."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Sign out whose time is up; renew the others at most once a minute."""
        if request.user.is_authenticated:
            if sessions.is_over(request.session):
                logout(request)
            else:
                sessions.renew(request.session)
        return self.get_response(request)


class PermissionMiddleware:
    """Deny by default: a page that declares no permission is refused.

    REST views are left to the REST framework, whose permission class is
    console.accounts.permissions.Declared.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and write an audit event when a change was refused."""
        response = self.get_response(request)
        refused = response.status_code == 403 or hasattr(request, "flotilla_refused")
        # Only for people who are signed in: anybody else could fill the table.
        if refused and request.method not in SAFE and isinstance(request.user, User):
            record(
                "request.denied",
                request=request,
                outcome="denied",
                object_name=f"{request.method} {request.path}",
                reason=getattr(request, "flotilla_refused", ""),
            )
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        _args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """None to go on. Raises Http404 or PermissionDenied, or sends to the sign-in page."""
        if is_rest(view):
            return None
        permission = declared(view, request.method or "")
        if permission is None:
            return self._undeclared(request, view)
        if permission == PUBLIC:
            return None
        user = request.user
        if not isinstance(user, User):
            return _to_sign_in(request)
        if user.must_change_password and _route(request) not in WITHOUT_OWN_PASSWORD:
            return redirect_whole_page(request, reverse("accounts:password"))
        address = kwargs if getattr(view, "flotilla_in_namespaces", False) else None
        if allowed_at(user, permission, address):
            return None
        request.flotilla_refused = permission  # type: ignore[attr-defined]
        if may_see(user, permission, address):
            raise PermissionDenied
        raise Http404

    def _undeclared(self, request: HttpRequest, view: Callable[..., Any]) -> HttpResponseBase:
        value = getattr(view, "flotilla_permission", None)
        if isinstance(value, dict) and value:
            allow = sorted({*value, "HEAD"} if "GET" in value else value)
            return HttpResponse(status=405, headers={"Allow": ", ".join(allow)})
        log.error(
            "refused %s %s: the view %s.%s declares no permission "
            "(console.accounts.permissions.requires)",
            request.method,
            request.path,
            view.__module__,
            getattr(view, "__qualname__", view),
        )
        raise PermissionDenied


def is_rest(view: Callable[..., Any]) -> bool:
    """Whether the REST framework answers this view."""
    for name in ("cls", "view_class"):
        cls = getattr(view, name, None)
        if isinstance(cls, type) and issubclass(cls, APIView):
            return True
    return False


def _route(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    # A form that was sent cannot be sent again after signing in: back to its page instead.
    back = page_behind(request)
    query = f"?{urlencode({'next': back})}" if back not in ("", "/") else ""
    return redirect_whole_page(request, reverse("accounts:sign-in") + query)
