"""Sign-ins, failures and lockouts become audit events."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import pre_save
from django.dispatch import receiver

from console.accounts import sessions
from console.accounts.models import User
from console.audit.record import record


@receiver(user_logged_in)
def on_sign_in(request: Any, user: User, **_kwargs: Any) -> None:
    """A session begins, and its times with it."""
    sessions.start(request.session)
    record("auth.sign_in", user, request=request, actor=user)


@receiver(user_login_failed)
def on_failure(credentials: dict[str, Any], request: Any = None, **_kwargs: Any) -> None:
    """A wrong name or password, also when the own password is asked for again."""
    user, name = _who(credentials)
    # Axes counts a failure unless the lockout has begun before.
    counted = getattr(request, "axes_failures_since_start", None)
    locked = bool(getattr(request, "axes_locked_out", False)) and not counted
    record(
        "auth.sign_in_failed",
        user,
        request=request,
        outcome="denied" if locked else "failure",
        object_name=name,
        reason="locked out" if locked else "",
    )


@receiver(user_locked_out)
def on_lockout(request: Any, username: str, **_kwargs: Any) -> None:
    """Written once, when the lockout begins; axes sends it for each try during it too."""
    if getattr(request, "axes_failures_since_start", None):
        user, name = _who({"username": username})
        record("auth.locked_out", user, request=request, outcome="denied", object_name=name)


def _who(credentials: dict[str, Any]) -> tuple[User | None, str]:
    # A name that nobody has is often a password typed into the wrong field: not kept.
    user = User.objects.filter(username=credentials.get("username") or "").first()
    return user, user.get_username() if user else "(unknown user)"


@receiver(pre_save, sender=AccessAttempt)
def keep_nothing_typed(instance: AccessAttempt, **_kwargs: Any) -> None:
    """Axes would keep what was posted with a failure: it is never needed and may be secret."""
    instance.get_data = instance.post_data = ""
