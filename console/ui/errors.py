"""Error pages: what happened, what to do, and the request id to quote."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.models import User
from console.accounts.permissions import PUBLIC, requires
from console.ui.unwritable import unwritable


def server_error(request: HttpRequest) -> HttpResponse:
    """500 without anything that could fail again: no database, no navigation.

    503 with cause and mend where nothing can be written.
    """
    context: dict[str, object] = {"request_id": getattr(request, "request_id", "")}
    found = unwritable(sys.exc_info()[1])
    if found is None:
        return render(None, "500.html", context, status=500)
    # Only a user who was read before: no question to the database here.
    known = isinstance(getattr(request, "_cached_user", None), User)
    context |= {"found": found, "detail": found.detail if known else ""}
    return render(None, "503.html", context, status=503)


@requires(GET=PUBLIC, POST=PUBLIC)
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: it is old, or another site sent it."""
    return render(request, "403_csrf.html", {"reason": reason}, status=403)
