"""What a balancer or a supervisor asks: does this process answer, and its database."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from console.accounts.permissions import PUBLIC, requires


@requires(GET=PUBLIC)
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 "ok" when the database answers, else 503. Says nothing else to anybody."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("database away\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
