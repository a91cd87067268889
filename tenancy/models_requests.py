"""What the people of a tenant asked for, and what is approved without anybody's look."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class RequestKind(models.TextChoices):
    """What can be asked for."""

    QUOTA = "quota", _("More quota")
    NAMESPACE = "namespace", _("A namespace")
    CLUSTER = "cluster", _("Access to a cluster")
    POOL = "pool", _("Access to a resource pool")
    MEMBERSHIP = "membership", _("A member")


class RequestState(models.TextChoices):
    """How far it is."""

    OPEN = "open", _("Waiting for an answer")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    ENDED = "ended", _("Was approved until its date")


class Request(models.Model):
    """One wish of a tenant's people, and the answer.

    wish: what was asked for; granted: what was given, which may be another amount.
    Of a quota both are {resource: quantity}, by how much the limits grow; of a membership
    {"user": name, "role": role}; of a namespace {"name", "description"}, which gets the
    tenant's defaults; of a cluster or a pool {}, the row says which.
    until: an amount of quota counts until then and no longer (tenancy.raises), whether
    or not a process runs at that moment; for good when None.
    """

    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, related_name="requests")
    kind = models.CharField(_("kind"), max_length=16, choices=RequestKind)
    # Of a quota: None is the quota over all clusters.
    cluster = models.ForeignKey(
        "clusters.Cluster", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    pool = models.ForeignKey(
        "clusters.ResourcePool", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    wish = models.JSONField(default=dict, blank=True)
    granted = models.JSONField(default=dict, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    until = models.DateTimeField(_("until"), null=True, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=RequestState, default=RequestState.OPEN
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(_("asked"), default=timezone.now)
    # None beside an answer: a policy gave it.
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided = models.DateTimeField(_("answered"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    # When it was told that an amount counts no longer.
    ended = models.DateTimeField(_("given back"), null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("tenant", "state", "id"), name="request_of_tenant"),
            models.Index(fields=("state", "until"), name="request_until"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()} · {self.tenant}"


class ApprovalPolicy(models.Model):
    """Requests for quota that are approved by themselves: small and short enough.

    tenant None: of every tenant. most: {resource: quantity}, by how much a limit may grow
    over what the tenant has for good; a resource that is not named is never given by itself.
    days: for how long at most; None also for good.
    """

    tenant = models.ForeignKey(
        "tenancy.Tenant", null=True, blank=True, on_delete=models.CASCADE, related_name="policies"
    )
    name = models.CharField(_("name"), max_length=80)
    most = models.JSONField(_("at most"), default=dict)
    days = models.PositiveSmallIntegerField(_("for at most days"), null=True, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name
