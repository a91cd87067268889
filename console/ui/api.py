"""What every REST route shares: cursor pages and errors as RFC 9457 problem details."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.fields import get_error_detail
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from console.ui.unwritable import unwritable

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"


class CursorPage(CursorPagination):
    """`{next, previous, results}`, newest first.

    `?limit=` sets the size (at most 500). A view with another order names it in
    `cursor_ordering`; it must end in a unique field.
    """

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """One page. Raises NotFound for a cursor that was not made here."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, DjangoValidationError):
            if not request.query_params.get(self.cursor_query_param):
                raise
            raise exceptions.NotFound(self.invalid_cursor_message) from None

    def decode_cursor(self, request: Request) -> Any:
        """The cursor of the request, or None. Raises NotFound for one that was not made here."""
        cursor = super().decode_cursor(request)
        # PostgreSQL takes no NUL in a text.
        if cursor is not None and "\x00" in str(cursor.position):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor

    def get_ordering(self, _request: Request, _queryset: Any, view: Any) -> tuple[str, ...]:
        """The view's `cursor_ordering`, or the newest first."""
        ordering = getattr(view, "cursor_ordering", "-pk")
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)


def problem(
    status: int,
    detail: str,
    *,
    request: Any = None,
    title: str = "",
    kind: str = "about:blank",
    errors: Mapping[str, Any] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The members of a problem: type, title, status, detail, instance and errors by field."""
    body: dict[str, Any] = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if request_id := getattr(request, "request_id", ""):
        body["instance"] = f"urn:uuid:{request_id}"
    if errors:
        body["errors"] = errors
    return body | extra


def flag(request: Request, name: str) -> bool:
    """A query parameter that is yes or no. Invalid for any other word."""
    word = request.query_params.get(name, "false").lower()
    if word not in ("true", "false", "1", "0", ""):
        raise exceptions.ValidationError({name: [_("Use true or false.")]})
    return word in ("true", "1")


def problem_response(status: int, detail: str, **members: Any) -> JsonResponse:
    """A problem for code outside of the REST framework (middleware, error handlers)."""
    return JsonResponse(
        problem(status, detail, **members), status=status, content_type=PROBLEM_TYPE
    )


def problem_details(exc: Exception, context: Mapping[str, Any]) -> Response:
    """The REST framework's exception handler. Unknown errors are logged and say nothing.

    What an exception has as `members` (a mapping) becomes members of the problem (RFC 9457, 3.2).
    """
    request = context.get("request")
    if isinstance(exc, DjangoValidationError):
        exc = exceptions.ValidationError(get_error_detail(exc))
    response = exception_handler(exc, dict(context))
    if response is None:
        return _unexpected(request)
    errors = _by_field(exc.detail) if isinstance(exc, exceptions.ValidationError) else None
    detail = _("Some fields are not right.") if errors else _detail(exc)
    more: Mapping[str, Any] = getattr(exc, "members", {})
    response.data = problem(response.status_code, detail, request=request, errors=errors, **more)
    response.content_type = PROBLEM_TYPE
    return response


def _unexpected(request: Any) -> Response:
    django_request: HttpRequest | None = getattr(request, "_request", None)
    log.error("unexpected error in the API", exc_info=sys.exc_info())
    got_request_exception.send(sender=problem_details, request=django_request)
    if found := unwritable(sys.exc_info()[1]):
        # Who it is was found out before, or not: no new question to the database here.
        known = getattr(request, "_auth", None) is not None
        parts = [found.cause, found.detail if known else "", found.mend]
        told = problem(503, " ".join(filter(None, parts)), request=request, title=found.title)
        return Response(told, status=503, content_type=PROBLEM_TYPE)
    detail = _("The console made a mistake. Quote the instance to whoever runs it.")
    return Response(problem(500, detail, request=request), status=500, content_type=PROBLEM_TYPE)


def _detail(exc: Exception) -> str:
    if isinstance(exc, Http404):
        return _("There is nothing at this address, or you may not see it.")
    if isinstance(exc, DjangoPermissionDenied):
        return str(exc) or _("Your role does not allow this.")
    if isinstance(exc, exceptions.PermissionDenied) and exc.detail == (
        exceptions.PermissionDenied.default_detail
    ):
        return _("Your role does not allow this.")
    return str(getattr(exc, "detail", "")) or _("The request could not be answered.")


def _by_field(detail: Any) -> dict[str, Any]:
    """{field: [messages]}; what belongs to no field comes under `non_field_errors`."""
    if isinstance(detail, Mapping):
        return {str(name): _messages(value) for name, value in detail.items()}
    return {"non_field_errors": _messages(detail)}


def _messages(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _messages(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if isinstance(item, Mapping) else str(item) for item in value]
    return [str(value)]
