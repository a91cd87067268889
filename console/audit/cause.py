"""What something is done for: the id of one click, in events, logs and calls of clusters.

RequestIdMiddleware makes it for requests, WebsocketRequestId for websockets; a worker takes the
one that its task was launched by. It lies in a context variable, which threads of a pool do not
inherit: carried() takes it along.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import structlog
from channels.middleware import BaseMiddleware

P = ParamSpec("P")
T = TypeVar("T")

# Kubernetes cuts an audit id after 64 characters; a UUID, a dot and eight digits are 45.
AUDIT_ID = "Audit-ID"
_FITS = re.compile(r"[0-9A-Za-z-]{1,48}")


def cause() -> str:
    """The id of the request that this code runs for; "" for what nobody asked for."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@contextmanager
def caused_by(request_id: str) -> Iterator[None]:
    """What happens inside is done for this request; "" for none, whatever was before."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """The function, done for the request of now in whichever thread it runs later."""
    found = cause()

    def inside(*args: P.args, **named: P.kwargs) -> T:
        with caused_by(found):
            return function(*args, **named)

    return inside


def audit_id(request_id: str) -> str:
    """A new id for one call of a cluster, which begins with the request's; "" without one.

    An API server takes the header Audit-ID as the auditID of its log's entry ("Auditing").
    """
    return f"{request_id}.{secrets.token_hex(4)}" if _FITS.fullmatch(request_id) else ""


class WebsocketRequestId(BaseMiddleware):
    """Gives each websocket an id, as RequestIdMiddleware gives one to each request."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Run what is inside for the new id."""
        with caused_by(str(uuid.uuid4())):
            return await self.inner(scope, receive, send)
