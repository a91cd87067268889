"""One message to one channel, from when it is wanted to how it ended."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.notices.models_channels import Channel


class Message(models.TextChoices):
    """What a delivery says."""

    OPENED = "opened", _("It happened")
    RESOLVED = "resolved", _("It is over")
    SUMMARY = "summary", _("Summary after quiet hours")
    TEST = "test", _("Test")


class DeliveryState(models.TextChoices):
    """held: until the quiet hours end; merged: part of a summary; dropped: no longer needed."""

    PENDING = "pending", _("Waiting")
    HELD = "held", _("Held back: quiet hours")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    MERGED = "merged", _("In a summary")
    DROPPED = "dropped", _("Not needed")
    GIVEN_UP = "given_up", _("Given up")


# What may still go out.
COMING = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.SENDING)


class Delivery(models.Model):
    """uuid goes with every attempt, so that a receiver knows what it has already."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    notice = models.ForeignKey(
        "notices.Notice", null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    message = models.CharField(_("message"), max_length=8, choices=Message)
    state = models.CharField(
        _("state"), max_length=8, choices=DeliveryState, default=DeliveryState.PENDING
    )
    # The summary that this one became a part of.
    summary = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="parts")
    created = models.DateTimeField(_("created"), default=timezone.now)
    due = models.DateTimeField(_("next try"), default=timezone.now)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # Who sends it (a random word for each claim), and until when that counts.
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(_("ended"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(fields=("state", "due"), name="delivery_due"),
            models.Index(fields=("channel", "id"), name="delivery_of_channel"),
        )

    def __str__(self) -> str:
        return f"{self.message} {self.uuid}"
