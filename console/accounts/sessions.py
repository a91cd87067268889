"""How long a session lives, and whether one still does."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError, transaction
from django.utils.crypto import constant_time_compare

from console.accounts.models import User
from console.accounts.permissions import allowed_at

log = logging.getLogger(__name__)

STARTED = "flotilla_started"  # when the person signed in
SEEN = "flotilla_seen"  # when the session was last renewed
CONFIRMED = "flotilla_confirmed"  # when the password was last given
RENEW_SECONDS = 60


def start(session: SessionBase) -> None:
    """Note that the password was just given."""
    now = int(time.time())
    session[STARTED] = session[SEEN] = session[CONFIRMED] = now


def is_over(session: SessionBase | dict[str, Any], now: float | None = None) -> bool:
    """Whether the idle or the absolute time is up."""
    now = now or time.time()
    seen, started = session.get(SEEN), session.get(STARTED)
    if not isinstance(seen, int) or not isinstance(started, int):
        return True
    return now > seen + settings.SESSION_COOKIE_AGE or now > started + settings.SESSION_MAX_SECONDS


def renew(session: SessionBase, now: float | None = None) -> None:
    """Start the idle time anew; written at most once a minute.

    Where it cannot be written (a full disk) the person goes on looking, and the idle time runs.
    """
    now = now or time.time()
    seen = session[SEEN]
    if now < seen + RENEW_SECONDS:
        return
    session[SEEN] = int(now)
    try:
        with transaction.atomic():
            session.save(must_create=False)
    except OperationalError as error:
        log.warning("a session could not be renewed: %s", error)
        session[SEEN] = seen
        session.modified = False
    except UpdateError:
        session.modified = True  # ended meanwhile: Django's middleware says so


def end_all(user: User, *, keep: str | None = None) -> int:
    """End the user's sessions at once, but the one to keep. Returns how many."""
    ended = 0
    for row in Session.objects.all().iterator():
        if row.session_key != keep and row.get_decoded().get(SESSION_KEY) == str(user.pk):
            row.delete()
            ended += 1
    return ended


def still_valid(
    user_id: Any,
    session_key: str | None,
    permission: str,
    address: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a session still belongs to this active user with this permission.

    For long-lived connections, which ask again while they are open (wrap it in
    database_sync_to_async). False for an ended, expired or foreign session, a
    changed password, a deactivated user and a permission that was taken away.
    address: where the permission counts that is held in some places only (allowed_at).
    """
    if not session_key or user_id is None:
        return False
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    data: dict[str, Any] = store.load()
    if data.get(SESSION_KEY) != str(user_id) or not data.get(BACKEND_SESSION_KEY):
        return False
    if is_over(data):
        return False
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or user.must_change_password:
        return False
    given = data.get(HASH_SESSION_KEY, "")
    if not constant_time_compare(given, user.get_session_auth_hash()):
        return False
    return allowed_at(user, permission, address)
