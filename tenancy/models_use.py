"""What namespaces and tenants used of their quotas over time, in few rows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class UseOf(models.TextChoices):
    """What an amount is of."""

    NAMESPACE = "namespace", _("Namespace")
    TENANT = "tenant", _("Tenant")


class UseTier(models.IntegerChoices):
    """How coarse a row is."""

    HOURS = 0, _("1 hour")
    DAYS = 1, _("1 day")


class UseFrame(models.Model):
    """One hour or day (its start) of up to 64 namespaces, or tenants.

    part: the keys of what is in it, divided by 64. time: seconds since the epoch.
    data: as tenancy.use_frames packs it. Rows are added and removed, never changed.
    """

    of = models.CharField(max_length=16, choices=UseOf)
    part = models.PositiveBigIntegerField()
    tier = models.PositiveSmallIntegerField(choices=UseTier)
    time = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("of", "part", "tier", "time"), name="one_use_frame_of_a_time"
            ),
        )
        indexes = (models.Index(fields=("tier", "time"), name="use_frame_by_time"),)

    def __str__(self) -> str:
        return f"{self.of} {self.part}/{self.tier} at {self.time}"
