"""Requests with NUL characters: no name has one, and PostgreSQL takes none in a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.defaults import bad_request

from console.accounts.middleware import is_rest
from console.ui.api import problem_response

NUL = "\x00"


class NulMiddleware:
    """Nothing is at an address with a NUL, and no parameter has one; form fields look themselves.

    Comes before sessions: a cookie with a NUL counts as not sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer without such cookies."""
        for name in [name for name, value in request.COOKIES.items() if NUL in name + value]:
            del request.COOKIES[name]
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        _args: tuple[Any, ...],
        _kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """None to go on; 404 for the address, 400 for its query."""
        if NUL in request.path:
            if not is_rest(view):
                raise Http404
            nothing = _("There is nothing at this address, or you may not see it.")
            return problem_response(404, nothing, request=request)
        if any(NUL in text for name, values in request.GET.lists() for text in (name, *values)):
            wrong = _("A parameter of the address has a NUL character in it.")
            if is_rest(view):
                return problem_response(400, wrong, request=request)
            return bad_request(request, ValueError(wrong))
        return None
