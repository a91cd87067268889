"""The kubeconfigs that were given out for tenants' namespaces."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class GivenKubeconfig(models.Model):
    """One kubeconfig: a service account of its own, bound to a role in one namespace.

    The token itself is kept nowhere. gone: the cluster has the account no more. problem: why
    it could not be removed so far. The names stay when what they name is gone.
    """

    tenant = models.ForeignKey(
        "tenancy.Tenant", null=True, on_delete=models.SET_NULL, related_name="kubeconfigs"
    )
    namespace = models.ForeignKey(
        "tenancy.Namespace", null=True, on_delete=models.SET_NULL, related_name="kubeconfigs"
    )
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="tenant_kubeconfigs"
    )
    namespace_name = models.CharField(_("namespace"), max_length=63)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="kubeconfigs"
    )
    user_name = models.CharField(_("for"), max_length=150)
    role = models.CharField(_("role"), max_length=16)
    note = models.CharField(_("what for"), max_length=120, blank=True)
    created = models.DateTimeField(_("given out"), default=timezone.now)
    expires = models.DateTimeField(_("ends"))
    revoked = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_why = models.CharField(max_length=255, blank=True)
    gone = models.BooleanField(default=False)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("cluster", "gone"), name="kubeconfig_to_look_at"),)

    def __str__(self) -> str:
        return f"{self.user_name} · {self.cluster}/{self.namespace_name}"

    @property
    def account(self) -> str:
        """The name of its service account, and of its RoleBinding."""
        return f"kubeconfig-{self.pk}"

    def is_over(self, now: datetime | None = None) -> bool:
        """Whether it opens nothing any more, or is not to."""
        return self.revoked is not None or self.expires <= (now or timezone.now())
