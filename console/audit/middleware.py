"""Every request has an id that a person can quote and that logs and audit rows carry."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponseBase


class RequestIdMiddleware:
    """Gives each request an id of our own; one sent from outside is not believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the id in X-Request-ID."""
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        request.arrived = time.monotonic()  # type: ignore[attr-defined]
        request.META.pop("HTTP_X_REQUEST_ID", None)
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response
