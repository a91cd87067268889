"""How API requests say who they are: a token, or the session of a signed-in browser."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from console.accounts.models import ApiToken, User

log = logging.getLogger(__name__)

LAST_USED_STEP = timedelta(minutes=1)


class ApiTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token flo_...`."""

    keyword = "Token"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token's user. Raises AuthenticationFailed for a token that opens nothing."""
        words = authentication.get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        if len(words) != 2:
            raise exceptions.AuthenticationFailed(
                _("The Authorization header must read: Token, a space, and the token.")
            )
        token = ApiToken.find(words[1].decode("ascii", "replace"))
        if token is None:
            # One answer for unknown, expired and revoked: nothing to learn from trying.
            raise exceptions.AuthenticationFailed(
                _("This token is unknown, expired or revoked. Create one in the console.")
            )
        _mark_used(token)
        request._request.api_token_name = token.name  # type: ignore[attr-defined]
        return token.user, token

    def authenticate_header(self, _request: Request) -> str:
        """What WWW-Authenticate asks for; its presence makes refusals 401 instead of 403."""
        return f'{self.keyword} realm="flotilla"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF checked."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """The signed-in user. Raises PermissionDenied until a new password was set."""
        found = super().authenticate(request)
        if found and found[0].must_change_password:
            raise exceptions.PermissionDenied(
                _("Set a password of your own first: sign in with a browser.")
            )
        return found


def _mark_used(token: ApiToken) -> None:
    # At most one write a minute: a busy script would otherwise write with every request.
    now = timezone.now()
    if token.last_used is None or token.last_used < now - LAST_USED_STEP:
        try:
            ApiToken.objects.filter(
                Q(last_used=None) | Q(last_used__lt=now - LAST_USED_STEP), pk=token.pk
            ).update(last_used=now)
        except OperationalError as error:
            # A full disk: whoever looks goes on looking, what changes something fails by itself.
            log.warning("the use of a token could not be noted: %s", error)
