"""Verifications of the record that are too long for a request: the watcher carries them out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class VerificationState(models.TextChoices):
    """What has become of it."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    ENDED = "ended", _("Ended")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


ACTIVE = (VerificationState.WAITING, VerificationState.RUNNING)


class Verification(models.Model):
    """One verification: who asked, how far it is, what it found.

    start: the events before it are not looked at; position: how far it has come; size: of the
    tree when it began. findings: [{kind, position, text}]. attempts: how often a watcher began
    with it; one that dies is followed by another when `claimed_until` is over.
    """

    asked = models.DateTimeField(_("asked"), default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by_name = models.CharField(max_length=150, blank=True)
    request_id = models.CharField(max_length=36, blank=True)
    language = models.CharField(max_length=16, blank=True)
    whole = models.BooleanField(_("everything"), default=False)
    state = models.CharField(
        max_length=16, choices=VerificationState, default=VerificationState.WAITING
    )
    begun = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    start = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    witnessed = models.IntegerField(default=0)
    findings = models.JSONField(default=list)
    problem = models.TextField(blank=True)
    cancel_wanted = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.CharField(max_length=36, blank=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            # Two at a time would read the same events twice.
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=ACTIVE), name="one_verification_at_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"{self.asked:%F %T}"

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in ACTIVE

    @property
    def good(self) -> bool:
        """Whether it went to its end and found nothing."""
        return self.state == VerificationState.ENDED and not self.findings

    @property
    def percent(self) -> int:
        """How much is looked at, of 100."""
        whole, done = self.size - self.start, self.position - self.start
        return 0 if whole <= 0 else max(0, min(100, 100 * done // whole))

    def pace(self, now: datetime | None = None) -> dict[str, Any]:
        """{rate: events per second, left: timedelta until the end}; {} where nobody can say."""
        if self.begun is None or self.position <= self.start:
            return {}
        seconds = ((self.ended or now or timezone.now()) - self.begun).total_seconds()
        if seconds <= 0:
            return {}
        rate = (self.position - self.start) / seconds
        left = timedelta(seconds=round(max(0, self.size - self.position) / rate))
        return {"rate": round(rate), "left": left}
