"""Where notices go out to, and which of them."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from console.secrets.fields import EncryptedTextField

SECRET_PREFIX = "whsec_"  # noqa: S105  (tells people and scanners what it is)


class ChannelType(models.TextChoices):
    """The ways out of the console."""

    WEBHOOK = "webhook", _("Webhook")
    EMAIL = "email", _("E-mail")


class Signing(models.Model):
    """Has a secret that signs what goes out."""

    secret = EncryptedTextField()

    class Meta:
        abstract = True

    def new_secret(self) -> str:
        """Another signing secret in its plain text, which is shown once; to be saved."""
        plain = SECRET_PREFIX + secrets.token_urlsafe(32)
        self.secret = plain
        return plain


class Channel(Signing):
    """One receiver. address: a web address, or e-mail addresses separated by commas.

    secret signs webhooks. quiet_from, quiet_until: the time of day, in time_zone, in
    which only the severities in break_through go out; both None: never quiet.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    type = models.CharField(_("type"), max_length=8, choices=ChannelType)
    address = models.CharField(_("address"), max_length=1000)
    enabled = models.BooleanField(_("on"), default=True)
    # Why it was switched off by itself; empty when a person did or it is on.
    disabled_reason = models.CharField(max_length=200, blank=True)
    language = models.CharField(
        _("language"), max_length=16, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    break_through = models.JSONField(_("goes out in quiet hours too"), default=list, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # The last result: when, whether it arrived, what was answered.
    last_at = models.DateTimeField(null=True, blank=True)
    last_ok = models.BooleanField(null=True, blank=True)
    last_answer = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def addresses(self) -> list[str]:
        """The e-mail addresses."""
        return [word.strip() for word in self.address.split(",") if word.strip()]


class Rule(models.Model):
    """Which notices a channel gets. Empty lists and texts mean: all of them.

    clusters: names with * and ?, separated by commas. min_seconds: only what still
    holds so long after it was seen.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="rules")
    kinds = models.JSONField(_("kinds"), default=list, blank=True)
    severities = models.JSONField(_("severities"), default=list, blank=True)
    clusters = models.CharField(_("clusters"), max_length=500, blank=True)
    min_seconds = models.PositiveIntegerField(_("only after so many seconds"), default=0)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.pk} of {self.channel_id}"
