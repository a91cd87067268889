"""Terminals that are open now, so that each has its end in the audit log whatever happens."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class OpenTerminal(models.Model):
    """One open terminal; its web process says again and again that it is there (`seen`).

    object_name: as the opening event has it. asked: {"container", "shell"}. The row goes with
    the closing event, in one transaction: whoever removes it writes that.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    object_name = models.CharField(max_length=600)
    asked = models.JSONField(default=dict)
    address = models.CharField(max_length=64, blank=True)
    started = models.DateTimeField(default=timezone.now)
    seen = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.object_name
