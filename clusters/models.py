"""What a cluster is, and the nodes that the watcher saw in it."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.models_figures import ClusterFigures
from clusters.models_health import ControlPlaneHealth
from clusters.models_imports import ClusterImport, ImportState
from clusters.models_inventory import ClusterEvent, Health, Object
from clusters.models_kinds import OfferedKinds, WatchedKind
from clusters.models_manifests import ManifestText
from clusters.models_metrics import MetricFrame, MetricSeries, MetricState
from clusters.models_pools import ResourcePool
from clusters.models_terminals import OpenTerminal
from console.secrets.fields import EncryptedTextField

__all__ = [
    "Cluster",
    "ClusterEvent",
    "ClusterFigures",
    "ClusterImport",
    "ClusterSecret",
    "ClusterStatus",
    "ControlPlaneHealth",
    "Health",
    "ImportState",
    "ManifestText",
    "MetricFrame",
    "MetricSeries",
    "MetricState",
    "Node",
    "Object",
    "OfferedKinds",
    "OpenTerminal",
    "Origin",
    "Profile",
    "ResourcePool",
    "WatchedKind",
    "dns_label",
]

# RFC 1123 label, as Kubernetes wants names ("Object Names and IDs").
dns_label = RegexValidator(
    r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z",
    _(
        "Use lower-case letters, digits and hyphens, starting and ending with a letter or "
        "digit, at most 63 characters."
    ),
)


class Origin(models.TextChoices):
    """Where a cluster comes from."""

    SYSTEM = "system", _("System")
    PROVISIONED = "provisioned", _("Provisioned")
    IMPORTED = "imported", _("Imported")


class Profile(models.TextChoices):
    """The type of a provisioned cluster."""

    LIGHTWEIGHT = "lightweight", _("Lightweight")
    STANDARD = "standard", _("Standard")
    NONE = "", _("None")


class ClusterStatus(models.TextChoices):
    """The cluster's state as the console knows it."""

    PROVISIONING = "provisioning", _("Being created")
    ACTIVE = "active", _("Active")
    DEGRADED = "degraded", _("Degraded")
    UNREACHABLE = "unreachable", _("Unreachable")
    FAILED = "failed", _("Creation failed")
    DELETING = "deleting", _("Being deleted")


class Cluster(models.Model):
    """One Kubernetes cluster."""

    name = models.CharField(_("name"), max_length=63, unique=True, validators=[dns_label])
    origin = models.CharField(_("origin"), max_length=16, choices=Origin)
    profile = models.CharField(_("type"), max_length=16, choices=Profile, blank=True)
    endpoint = models.CharField(_("API endpoint"), max_length=255, blank=True)
    version = models.CharField(_("Kubernetes version"), max_length=32, blank=True)
    pod_cidr = models.CharField(_("pod network"), max_length=64, blank=True)
    service_cidr = models.CharField(_("service network"), max_length=64, blank=True)
    vip = models.GenericIPAddressField(_("virtual IP"), null=True, blank=True)
    # VRRP's virtual router id (RFC 5798): two clusters in one network must not share one.
    router_id = models.PositiveSmallIntegerField(_("virtual router id"), null=True, unique=True)
    # The UID of its namespace kube-system, which tells it from any other cluster for good.
    uid = models.CharField(max_length=64, blank=True)
    options = models.JSONField(default=dict, blank=True)
    enforces_network_policy = models.BooleanField(default=False)
    status = models.CharField(_("status"), max_length=16, choices=ClusterStatus)
    status_reason = models.TextField(_("reason"), blank=True)
    status_since = models.DateTimeField(_("since"), default=timezone.now)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # When the watcher last had an answer, and who watches (lease).
    seen = models.DateTimeField(null=True, blank=True)
    watcher = models.CharField(max_length=64, blank=True)
    watcher_until = models.DateTimeField(null=True, blank=True)
    # When the credentials that the console keeps for an imported cluster end; None: never, or
    # nobody knows.
    credentials_expire = models.DateTimeField(_("credentials end"), null=True, blank=True)
    # Counts the batches that the watcher wrote: open pages ask whether it has moved.
    changes = models.PositiveBigIntegerField(default=0)
    # Kinds that the watcher cannot follow here, and why: {"ingresses.networking.k8s.io": reason}.
    not_watched = models.JSONField(default=dict, blank=True)
    # Whether people can act inside (clusters.access): {"state": "ok|refused|unknown", "reason"}.
    access = models.JSONField(default=dict, blank=True)
    # The namespace in which this console itself runs, when it runs in this cluster.
    console_namespace = models.CharField(max_length=63, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def hosts_console(self) -> bool:
        """Whether this console itself runs on the cluster, also where its namespace is unknown."""
        return self.origin == Origin.SYSTEM or bool(self.console_namespace)

    def set_status(self, status: ClusterStatus, reason: str = "") -> None:
        """Change the status in one write; since-when moves only when the status does."""
        since = timezone.now() if status != self.status else self.status_since
        self.status, self.status_reason, self.status_since = status, reason, since
        Cluster.objects.filter(pk=self.pk).update(
            status=status, status_reason=reason, status_since=since
        )


class ClusterSecret(models.Model):
    """One secret or certificate of a cluster (CA keys, leaf certificates, tokens), by name."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=200)
    value = EncryptedTextField()
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="one_secret_of_a_name"),
        )

    def __str__(self) -> str:
        return f"{self.cluster_id}/{self.name}"


class Node(models.Model):
    """One node of a cluster, written only by the watcher."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(_("name"), max_length=253)
    ready = models.BooleanField(_("ready"), default=False)
    reason = models.TextField(_("reason"), blank=True)
    roles = models.JSONField(_("roles"), default=list)
    version = models.CharField(_("version"), max_length=64, blank=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    unschedulable = models.BooleanField(_("cordoned"), default=False)
    capacity = models.JSONField(default=dict)
    allocatable = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    taints = models.JSONField(default=list)
    conditions = models.JSONField(default=list)
    info = models.JSONField(default=dict)
    created = models.DateTimeField(_("joined"), null=True)
    seen = models.DateTimeField(_("seen"), default=timezone.now)

    class Meta:
        ordering = ("cluster", "name")
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="one_node_of_a_name"),
        )

    def __str__(self) -> str:
        return self.name
