"""Error pages: what happened, what to do, and the request id to quote."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.permissions import PUBLIC, requires


def server_error(request: HttpRequest) -> HttpResponse:
    """500 without anything that could fail again: no user, no database, no navigation."""
    context = {"request_id": getattr(request, "request_id", "")}
    return render(None, "500.html", context, status=500)


@requires(GET=PUBLIC, POST=PUBLIC)
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: it is old, or another site sent it."""
    return render(request, "403_csrf.html", {"reason": reason}, status=403)
