"""Users with a platform role, and their API tokens."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

TOKEN_PREFIX = "flo_"  # noqa: S105  (tells people and scanners what it is)


class Role(models.TextChoices):
    """What a person may do on the platform; console.accounts.permissions says what exactly."""

    ADMIN = "admin", _("Admin")
    OPERATOR = "operator", _("Operator")
    AUDITOR = "auditor", _("Auditor")
    NONE = "", _("No platform role")


class Theme(models.TextChoices):
    """The look: as the system says, or set."""

    SYSTEM = "", _("Follow the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class User(AbstractUser):
    """A person who signs in."""

    role = models.CharField(
        _("platform role"), max_length=16, choices=Role, default=Role.NONE, blank=True
    )
    theme = models.CharField(
        _("theme"), max_length=8, choices=Theme, default=Theme.SYSTEM, blank=True
    )
    language = models.CharField(_("language"), max_length=16, default="", blank=True)
    # Set for passwords that somebody else chose: the first sign-in asks for a new one.
    must_change_password = models.BooleanField(_("must change password"), default=False)

    class Meta(AbstractUser.Meta):
        ordering = ("username",)

    def __str__(self) -> str:
        return self.get_full_name() or self.username


def _digest(plain: str) -> str:
    # A token is 256 random bits: a fast hash is enough, there is nothing to guess.
    return hashlib.sha256(plain.encode()).hexdigest()


class ApiToken(models.Model):
    """A named, expiring, revocable key for the API, kept only as its SHA-256."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    expires = models.DateTimeField(_("expires"))
    revoked = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        ordering = ("-created",)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @classmethod
    def issue(cls, user: User, name: str, days: int = 90) -> tuple[ApiToken, str]:
        """A new token and its plain text, which is shown once and never kept."""
        plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = cls.objects.create(
            user=user,
            name=name,
            digest=_digest(plain),
            hint=plain[:8],
            expires=timezone.now() + timedelta(days=days),
        )
        return token, plain

    @classmethod
    def find(cls, plain: str, now: datetime | None = None) -> ApiToken | None:
        """The valid token of an active user with this plain text, or None."""
        now = now or timezone.now()
        return (
            cls.objects.select_related("user")
            .filter(digest=_digest(plain), revoked=None, expires__gt=now, user__is_active=True)
            .first()
        )

    @property
    def is_valid(self) -> bool:
        """Whether it still opens the API."""
        return self.revoked is None and self.expires > timezone.now()
