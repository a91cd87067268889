"""Under which name failed sign-ins are counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.crypto import salted_hmac

from console.accounts.models import User


def counted_name(request: Any, credentials: Mapping[str, Any] | None) -> str | None:
    """The name that was typed; of one that nobody has, a keyed digest.

    That is often a password typed into the wrong field: it is counted and locked out like any
    other name, and not kept. Called by django-axes (AXES_USERNAME_CALLABLE).
    """
    given = credentials if credentials is not None else request.POST
    name = given.get("username")
    if not name or User.objects.filter(username=name).exists():
        return name
    return f"unknown-{salted_hmac(__name__, str(name), algorithm='sha256').hexdigest()[:32]}"
