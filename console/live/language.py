"""What is said over a websocket is said in the language in which the person reads pages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from django.http import HttpRequest
from django.utils import translation


class InLanguage:
    """Activates the language that LocaleMiddleware would: of the cookie, or of Accept-Language.

    For the whole connection: each runs in a context of its own, and what it starts (tasks,
    database threads, console.live.handover.on_own_thread) runs in copies of that.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass on, in the language; scope["cookies"] is there (channels' CookieMiddleware)."""
        with translation.override(_language(scope)):
            await self._application(scope, receive, send)


def _language(scope: dict[str, Any]) -> str:
    accepted = b",".join(
        value for name, value in scope.get("headers", ()) if name == b"accept-language"
    )
    request = SimpleNamespace(
        COOKIES=scope.get("cookies", {}),
        META={"HTTP_ACCEPT_LANGUAGE": accepted.decode("latin-1")},
    )
    return translation.get_language_from_request(cast(HttpRequest, request))
