"""What the console tells people, to whom it goes out, and how that went."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.notices.models_channels import Channel, ChannelType, Rule
from console.notices.models_deliveries import Delivery, DeliveryState, Message

__all__ = [
    "Channel",
    "ChannelType",
    "Delivery",
    "DeliveryState",
    "Message",
    "Notice",
    "ReadMark",
    "ReadUpTo",
    "Rule",
    "Severity",
]


class Severity(models.TextChoices):
    """How much a notice wants somebody."""

    INFO = "info", _("Information")
    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


class Notice(models.Model):
    """One thing that was told; written only by console.notices.telling.

    kind and values say what happened, worded by console.notices.catalogue in each
    reader's language. key: what it is about, at most one open notice of a kind has
    it. count: how often it came within one stretch (flapping). resolved: since when
    it is over; None for ever for what only happened (a task that failed).
    permission: what a reader must hold to see it; owner sees it in any case, and so do
    those who belong to audience (console.notices.audiences) at the time they look.
    """

    kind = models.CharField(_("kind"), max_length=32)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    key = models.CharField(max_length=320)
    subject_type = models.CharField(max_length=64, blank=True)
    subject_id = models.CharField(max_length=320, blank=True)
    subject_name = models.CharField(_("about"), max_length=253, blank=True)
    cluster = models.CharField(_("cluster"), max_length=63, blank=True)
    values = models.JSONField(default=dict)
    link = models.CharField(max_length=500, blank=True)
    permission = models.CharField(max_length=40, blank=True)
    audience = models.CharField(max_length=80, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    occurred = models.DateTimeField(_("when"), default=timezone.now)
    count = models.PositiveIntegerField(_("times"), default=1)
    resolved = models.DateTimeField(_("over since"), null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "key"),
                condition=models.Q(resolved=None),
                name="one_open_notice_of_a_key",
            ),
        )
        indexes = (
            models.Index(fields=("kind", "key", "resolved"), name="notice_by_key"),
            models.Index(fields=("occurred",), name="notice_by_time"),
            models.Index(fields=("audience",), name="notice_by_audience"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class ReadMark(models.Model):
    """A notice that a person has read."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="marks")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "notice"), name="one_mark_of_a_reader"),
        )

    def __str__(self) -> str:
        return f"{self.user_id}/{self.notice_id}"


class ReadUpTo(models.Model):
    """Up to which notice (its id) a person has read everything at once."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.user_id}: {self.last}"
