"""Websockets at addresses with NUL characters: no name has one, and PostgreSQL takes none."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from django.http.cookie import parse_cookie

BAD_REQUEST = 4400


class WithoutNul:
    """Refuses the handshake where the path, the query or a cookie has a NUL."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass on what is plain."""
        if _has_nul(scope):
            await send({"type": "websocket.close", "code": BAD_REQUEST})
            return
        await self._application(scope, receive, send)


def _has_nul(scope: dict[str, Any]) -> bool:
    if "\x00" in scope.get("path", "") or b"\x00" in unquote_to_bytes(
        scope.get("query_string", b"")
    ):
        return True
    cookies = [value for name, value in scope.get("headers", ()) if name == b"cookie"]
    return any(
        "\x00" in text
        for cookie in cookies
        for text in parse_cookie(cookie.decode("latin-1")).values()
    )
