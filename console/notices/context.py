"""The bell on every page, with how much is unread."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, allowed
from console.notices.reading import MOST_COUNTED, unread_count


class Bell:
    """shown: whether somebody is signed in. What is unread is counted when it is shown."""

    def __init__(self, user: User | AnonymousUser) -> None:
        self._user = user
        self.shown = allowed(user, SIGNED_IN)

    @cached_property
    def unread(self) -> int:
        """How many, at most 100."""
        return unread_count(self._user)

    @property
    def figure(self) -> str:
        """The number as it fits on a badge."""
        return f"{MOST_COUNTED - 1}+" if self.unread >= MOST_COUNTED else str(self.unread)

    @property
    def title(self) -> str:
        """What the bell says to those who do not see it."""
        if not self.unread:
            return _("Notices: nothing unread")
        return ngettext(
            "Notices: %(n)s unread", "Notices: %(n)s unread", self.unread
        ) % {"n": self.figure}  # fmt: skip


def bell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: {"bell": Bell}."""
    return {"bell": Bell(getattr(request, "user", None) or AnonymousUser())}
