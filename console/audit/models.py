"""One row for each change: who, what, on what, before and after, when, from where, outcome."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.audit.models_archive import Archive, ArchiveCheck
from console.audit.models_proof import (
    AuditKey,
    Checkpoint,
    Leaf,
    Pending,
    Subtree,
    Tree,
    Witness,
)
from console.audit.models_streams import Stream, StreamKind
from console.audit.models_verifications import Verification
from console.audit.models_views import SavedView

__all__ = [
    "Archive",
    "ArchiveCheck",
    "AuditEvent",
    "AuditKey",
    "Checkpoint",
    "Leaf",
    "Outcome",
    "Pending",
    "SavedView",
    "Stream",
    "StreamKind",
    "Subtree",
    "Tree",
    "Verification",
    "Witness",
]


class Outcome(models.TextChoices):
    """How the action ended."""

    SUCCESS = "success", _("Success")
    FAILURE = "failure", _("Failure")
    DENIED = "denied", _("Denied")


class AuditEvent(models.Model):
    """Written by console.audit.record.record only; never changed afterwards.

    Triggers refuse it (console.audit.triggers). SQLite loses them when a later migration
    rebuilds the table: such a migration installs them again as its last step.
    """

    time = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # The name at the time: it stays when the user is renamed or removed.
    actor_name = models.CharField(_("actor"), max_length=150, blank=True)
    token_name = models.CharField(_("token"), max_length=80, blank=True)
    action = models.CharField(_("action"), max_length=64)
    object_type = models.CharField(_("object type"), max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(_("object"), max_length=255, blank=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome)
    reason = models.TextField(_("reason"), blank=True)
    request_id = models.CharField(_("request"), max_length=36, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    # A digest of the browser's session: what one session did can be put together.
    session = models.CharField(max_length=16, blank=True, default="")
    # From the arrival of the request until this event, in milliseconds.
    duration_ms = models.IntegerField(null=True)
    # Number of the user, which stays when the user is removed.
    actor_key = models.BigIntegerField(null=True)
    cluster_key = models.BigIntegerField(null=True)
    cluster_name = models.CharField(_("cluster"), max_length=255, blank=True, default="")
    tenant_key = models.BigIntegerField(null=True)
    tenant_name = models.CharField(_("tenant"), max_length=255, blank=True, default="")
    # No two events are the same one; None and the empty text in events from before the proof.
    uid = models.UUIDField(null=True, unique=True)
    stamp = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("cluster_key", "id"), name="audit_by_cluster"),
            models.Index(fields=("tenant_key", "id"), name="audit_by_tenant"),
            # What the list is narrowed down by, each in the list's order.
            models.Index(Lower("actor_name"), "id", name="audit_by_who"),
            models.Index(Lower("cluster_name"), "id", name="audit_by_cluster_name"),
            models.Index(Lower("tenant_name"), "id", name="audit_by_tenant_name"),
            models.Index(fields=("action", "id"), name="audit_by_action"),
            models.Index(fields=("object_type", "object_id", "id"), name="audit_by_object"),
            models.Index(fields=("outcome", "id"), name="audit_by_outcome"),
            models.Index(fields=("request_id", "id"), name="audit_by_request"),
            models.Index(fields=("session", "id"), name="audit_by_session"),
            models.Index(fields=("address", "id"), name="audit_by_address"),
        )

    def __str__(self) -> str:
        return f"{self.time:%F %T} {self.actor_name or '-'} {self.action} {self.object_name}"
