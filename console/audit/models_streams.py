"""Where the record goes out to while it grows."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.notices.models_channels import Signing


class StreamKind(models.TextChoices):
    """The ways out."""

    WEBHOOK = "webhook", _("Webhook")
    SYSLOG = "syslog", _("Syslog")
    FILE = "file", _("File")


class Stream(Signing):
    """One receiver of all events and checkpoints, in their order.

    address: a web address, tls://host:port or tcp://host:port, or the name of a file.
    ca: certificates (PEM) that the receiver's is checked with instead of the system's.
    secret signs webhooks. position: of the event that goes out next. checkpoint: the size of
    the last checkpoint that the receiver has. Both move only when it has confirmed.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("type"), max_length=8, choices=StreamKind)
    address = models.CharField(_("address"), max_length=1000)
    ca = models.TextField(_("CA certificate"), blank=True)
    paused = models.BooleanField(_("paused"), default=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    position = models.BigIntegerField(_("next position"), default=0)
    checkpoint = models.BigIntegerField(default=0)
    last_success = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    failures = models.PositiveIntegerField(default=0)
    next_try = models.DateTimeField(default=timezone.now)
    # Who sends now, and until when nobody else may.
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
