"""What probe pods found out about the isolation of tenants' namespaces."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ProofState(models.TextChoices):
    """How far a proof is."""

    WAITING = "waiting", _("Waiting for the watcher")
    STARTING = "starting", _("Starting probe pods")
    TRYING = "trying", _("Trying connections")
    ENDED = "ended", _("Ended")


class Verdict(models.TextChoices):
    """What the tries of one proof mean together."""

    NONE = "", _("No verdict yet")
    ENFORCED = "enforced", _("Enforced")
    NOT_ENFORCED = "not_enforced", _("Not enforced")
    TOO_STRICT = "too_strict", _("Too strict")
    NOT_PROVED = "not_proved", _("Not proved")


class IsolationProof(models.Model):
    """One proof of one namespace: who asked for it, what was tried, and what was seen.

    wanted: a digest of what the policies were to be, by which a proof is told from one of
    other policies. token: part of the names of its pods. sites: where pods were put, [{"key",
    "namespace", "address", "node", "host", "ready", "problem"}]. attempts: the matrix, each as
    tenancy.proof_plan.Attempt with "outcome", "tries", "command" and "cause". log: what was
    done, [[ISO time, text]]. gone: nothing of it is left on the cluster.
    """

    namespace = models.ForeignKey(
        "tenancy.Namespace", null=True, on_delete=models.SET_NULL, related_name="proofs"
    )
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="isolation_proofs"
    )
    namespace_name = models.CharField(_("namespace"), max_length=63)
    isolation = models.CharField(_("isolation"), max_length=16)
    wanted = models.CharField(max_length=64)
    token = models.CharField(max_length=16)
    state = models.CharField(
        _("state"), max_length=16, choices=ProofState, default=ProofState.WAITING
    )
    state_since = models.DateTimeField(default=timezone.now)
    verdict = models.CharField(
        _("verdict"), max_length=16, choices=Verdict, default=Verdict.NONE, blank=True
    )
    reason = models.TextField(blank=True)
    sites = models.JSONField(default=list, blank=True)
    attempts = models.JSONField(default=list, blank=True)
    log = models.JSONField(default=list, blank=True)
    canceled = models.BooleanField(default=False)
    gone = models.BooleanField(default=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL,
        related_name="+",
    )  # fmt: skip
    by_name = models.CharField(_("by"), max_length=150)
    created = models.DateTimeField(_("asked for"), default=timezone.now)
    ended = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("namespace",), condition=models.Q(ended=None),
                name="one_proof_of_a_namespace_at_once",
            ),
        )  # fmt: skip
        indexes = (models.Index(fields=("cluster", "gone"), name="proof_to_look_at"),)

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace_name} #{self.pk}"

    @property
    def running(self) -> bool:
        """Whether it has no verdict yet."""
        return self.ended is None
