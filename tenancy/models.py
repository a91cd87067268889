"""Who owns what and how much: tenants, their members, clusters, quotas and namespaces."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from clusters.models import dns_label
from tenancy.models_kubeconfigs import GivenKubeconfig
from tenancy.models_namespaces import Isolation, Namespace, NamespaceState, PodSecurity
from tenancy.models_proofs import IsolationProof, ProofState, Verdict
from tenancy.models_requests import ApprovalPolicy, Request, RequestKind, RequestState
from tenancy.models_use import UseFrame, UseOf, UseTier

__all__ = [
    "ApprovalPolicy",
    "GivenKubeconfig",
    "Isolation",
    "IsolationProof",
    "Membership",
    "Namespace",
    "NamespaceState",
    "PodSecurity",
    "ProofState",
    "Quota",
    "Request",
    "RequestKind",
    "RequestState",
    "Tenant",
    "TenantCluster",
    "TenantGroupPermission",
    "TenantRole",
    "TenantUserPermission",
    "UseFrame",
    "UseOf",
    "UseTier",
    "Verdict",
]


class TenantRole(models.TextChoices):
    """What a member may do in a tenant; tenancy.permissions says what exactly."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    DEVELOPER = "developer", _("Developer")
    VIEWER = "viewer", _("Viewer")


class Tenant(models.Model):
    """A team with a share of the fleet.

    slug: its name on clusters (groups flotilla:tenant:<slug>:<role>, label
    flotilla.dev/tenant); never changed. defaults: what a new namespace gets,
    {"quota": {resource: quantity}, "limits": {"cpu": {"request", "limit"}, "memory": {...}}}.
    storage_classes, ingress_classes, registries: what is allowed; [] allows all.
    frozen: nothing in it may be changed by its members; protected: it cannot be deleted.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    # Room for "flotilla:tenant:<slug>:developer" and labels of 63 characters.
    slug = models.CharField(
        _("short name"),
        max_length=40,
        unique=True,
        validators=[dns_label, MaxLengthValidator(40)],
    )
    description = models.CharField(_("description"), max_length=255, blank=True)
    frozen = models.BooleanField(_("frozen"), default=False)
    frozen_reason = models.CharField(_("why it is frozen"), max_length=255, blank=True)
    protected = models.BooleanField(_("protected from deletion"), default=False)
    pod_security = models.CharField(
        _("pod security"), max_length=16, choices=PodSecurity, default=PodSecurity.BASELINE
    )
    isolation = models.CharField(
        _("isolation of new namespaces"), max_length=16, choices=Isolation, default=Isolation.TENANT
    )
    defaults = models.JSONField(default=dict, blank=True)
    storage_classes = models.JSONField(_("storage classes"), default=list, blank=True)
    ingress_classes = models.JSONField(_("ingress classes"), default=list, blank=True)
    registries = models.JSONField(_("image registries"), default=list, blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        ordering = ("name",)
        default_permissions = ("view",)
        permissions = (
            ("read_logs", "Read the logs of the tenant's pods"),
            ("open_terminals", "Open terminals in the tenant's pods"),
            ("deploy", "Change workloads in the tenant's namespaces"),
            ("ask", "Ask for more for the tenant"),
            ("issue_kubeconfigs", "Take kubeconfigs for the tenant's namespaces"),
            ("manage_namespaces", "Make, change and delete the tenant's namespaces"),
            ("manage_members", "Change who belongs to the tenant"),
            ("manage_owners", "Change who owns the tenant"),
        )

    def __str__(self) -> str:
        return self.name


class TenantUserPermission(UserObjectPermissionBase):
    """A right of a person on a tenant; written by tenancy.members alone."""

    content_object = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="user_permissions"
    )


class TenantGroupPermission(GroupObjectPermissionBase):
    """A right of a group on a tenant; written by tenancy.members alone."""

    content_object = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="group_permissions"
    )


class Membership(models.Model):
    """A person or a group (one of the two) with a role in a tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE,
        related_name="memberships",
    )  # fmt: skip
    group = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=16, choices=TenantRole)
    since = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        ordering = ("tenant", "id")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "user"), name="one_membership_of_a_user"),
            models.UniqueConstraint(fields=("tenant", "group"), name="one_membership_of_a_group"),
            models.CheckConstraint(
                condition=Q(user=None, group__isnull=False) | Q(user__isnull=False, group=None),
                name="membership_of_a_user_or_a_group",
            ),
        )

    def __str__(self) -> str:
        return f"{self.who} · {self.get_role_display()}"

    @property
    def who(self) -> str:
        """The person's or the group's name."""
        return str(self.user or self.group)


class TenantCluster(models.Model):
    """A cluster that a tenant may use: all of it, or some of its pools where any are named."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="clusters")
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="tenants"
    )
    pools = models.ManyToManyField("clusters.ResourcePool", blank=True, related_name="tenants")
    since = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        ordering = ("tenant", "cluster")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "cluster"), name="one_grant_of_a_cluster"),
        )

    def __str__(self) -> str:
        return f"{self.tenant} · {self.cluster}"


class Quota(models.Model):
    """How much a tenant may have, on one cluster or (cluster None) on all together.

    hard: {"requests.cpu": "4", "limits.memory": "8Gi", "namespaces": "5"}; what is
    not named is not limited. The names are those of tenancy.amounts.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="quotas")
    cluster = models.ForeignKey(
        "clusters.Cluster", null=True, blank=True, on_delete=models.CASCADE, related_name="quotas"
    )
    hard = models.JSONField(_("limits"), default=dict, blank=True)

    class Meta:
        ordering = ("tenant", "cluster")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "cluster"), name="one_quota_of_a_cluster"),
            models.UniqueConstraint(
                fields=("tenant",), condition=Q(cluster=None), name="one_quota_over_all"
            ),
        )

    def __str__(self) -> str:
        return f"{self.tenant} · {self.cluster or _('all clusters')}"
