"""A tenant's namespaces as they are to be on their clusters."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.models import dns_label


class PodSecurity(models.TextChoices):
    """The Pod Security Standards' levels ("Pod Security Standards")."""

    PRIVILEGED = "privileged", _("Privileged")
    BASELINE = "baseline", _("Baseline")
    RESTRICTED = "restricted", _("Restricted")


class Isolation(models.TextChoices):
    """Who may talk to a namespace's pods, and they to whom."""

    OPEN = "open", _("Open")
    TENANT = "tenant", _("Tenant")
    NAMESPACE = "namespace", _("Namespace")
    STRICT = "strict", _("Strict")


class NamespaceState(models.TextChoices):
    """How far the cluster has followed."""

    PENDING = "pending", _("Pending")
    APPLIED = "applied", _("As wanted")
    DRIFTED = "drifted", _("Changed by hand")
    FAILED = "failed", _("Refused by the cluster")
    DELETING = "deleting", _("Being deleted")
    # It stays on its cluster, without what the console put there.
    RELEASING = "releasing", _("Being released")


class Namespace(models.Model):
    """One namespace of a tenant: what is wanted, and how far the cluster has followed.

    quota: {"requests.cpu": "2", "pods": "20"} as in tenancy.models.Quota, counted
    against the tenant's. limits: {"cpu": {"request": "100m", "limit": "1"}, "memory": {...}},
    what a container gets that says nothing. exceptions: list of what tenancy.isolation lets
    through besides. labels: of its owner's own. revision counts changes of what is wanted,
    applied_revision is the last one that the cluster has. theirs_from: the revision with which it
    became this tenant's; its people come in when the cluster has that one. drift: what somebody
    changed by hand, [{"kind", "name", "diff"}]. remaining: what a deletion still waits for.
    """

    tenant = models.ForeignKey(
        "tenancy.Tenant", on_delete=models.PROTECT, related_name="namespaces"
    )
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="tenant_namespaces"
    )
    name = models.CharField(_("name"), max_length=63, validators=[dns_label])
    description = models.CharField(_("description"), max_length=255, blank=True)
    quota = models.JSONField(_("quota"), default=dict, blank=True)
    limits = models.JSONField(_("defaults of containers"), default=dict, blank=True)
    isolation = models.CharField(
        _("isolation"), max_length=16, choices=Isolation, default=Isolation.TENANT
    )
    exceptions = models.JSONField(_("exceptions"), default=list, blank=True)
    pod_security = models.CharField(
        _("pod security"), max_length=16, choices=PodSecurity, default=PodSecurity.BASELINE
    )
    pool = models.ForeignKey(
        "clusters.ResourcePool", null=True, blank=True, on_delete=models.PROTECT,
        related_name="tenant_namespaces", verbose_name=_("resource pool"),
    )  # fmt: skip
    labels = models.JSONField(_("labels"), default=dict, blank=True)
    # It was on the cluster before it was the tenant's.
    adopted = models.BooleanField(default=False)
    state = models.CharField(
        _("state"), max_length=16, choices=NamespaceState, default=NamespaceState.PENDING
    )
    state_reason = models.TextField(blank=True)
    state_since = models.DateTimeField(default=timezone.now)
    revision = models.PositiveIntegerField(default=1)
    applied_revision = models.PositiveIntegerField(default=0)
    theirs_from = models.PositiveIntegerField(default=1)
    drift = models.JSONField(default=list, blank=True)
    remaining = models.JSONField(default=list, blank=True)
    # When the watcher last compared it.
    checked = models.DateTimeField(null=True, blank=True)
    # When the cluster was last asked what it lets through, and what it answered: tenancy.dry_runs.
    proved = models.DateTimeField(null=True, blank=True)
    proof = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL,
        related_name="+",
    )  # fmt: skip
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        ordering = ("cluster", "name")
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="one_namespace_of_a_name"),
        )
        indexes = (models.Index(fields=("tenant", "name", "id"), name="namespace_of_tenant"),)

    def __str__(self) -> str:
        return self.name
