"""API tokens on the expiry radar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from console.accounts.models import ApiToken
from console.notices.expiry import Expiring
from console.notices.telling import page

# A token that ended longer ago is forgotten: nobody waits for it.
FORGOTTEN = timedelta(days=30)


def expiring() -> Iterator[Expiring]:
    """Every token that still opens the API, or did until a month ago."""
    rows = ApiToken.objects.filter(
        revoked=None, user__is_active=True, expires__gt=timezone.now() - FORGOTTEN
    )
    link = page("accounts:tokens")
    for token in rows.select_related("user"):
        yield Expiring(
            "token",
            f"token/{token.pk}",
            f"{token.name} ({token.user.get_username()})",
            token.expires,
            link,
            permission="users.view",
            owner=token.user,
        )
