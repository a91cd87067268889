"""What the watcher saw in clusters: objects of every kind, and events."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Health(models.TextChoices):
    """Whether a thing needs somebody: the word beside a status, never instead of it."""

    GOOD = "good", _("Fine")
    MOVING = "moving", _("Changing")
    WARN = "warn", _("Needs a look")
    BAD = "bad", _("Failing")
    NONE = "", _("Says nothing")


class Object(models.Model):
    """One object of a cluster as the watcher last saw it; written only by the watcher.

    resource: "pods", "deployments.apps": the plural and the group, as CRDs are
    named. namespace: "" for what belongs to the whole cluster. status: one word
    of Kubernetes ("Running", "CrashLoopBackOff", "Bound"). cause: {} or
    {"code", "values", "evidence"}, worded by clusters.diagnosis for each reader.
    summary: what lists and pages show, see docs/inventory.md; of a Secret its
    type alone.
    """

    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="inventory"
    )
    resource = models.CharField(max_length=320)
    api_version = models.CharField(max_length=320)
    kind = models.CharField(_("kind"), max_length=63)
    namespace = models.CharField(_("namespace"), max_length=63, blank=True)
    name = models.CharField(_("name"), max_length=253)
    uid = models.CharField(max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=64, blank=True)
    health = models.CharField(_("health"), max_length=8, choices=Health, blank=True)
    cause = models.JSONField(default=dict, blank=True)
    # The controller among the owners: a pod's ReplicaSet, a ReplicaSet's Deployment.
    owner_kind = models.CharField(max_length=63, blank=True)
    owner_name = models.CharField(max_length=253, blank=True)
    owner_uid = models.CharField(max_length=64, blank=True)
    node = models.CharField(_("node"), max_length=253, blank=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    # Separated by spaces, for search.
    images = models.TextField(_("images"), blank=True)
    labels = models.JSONField(_("labels"), default=dict, blank=True)
    summary = models.JSONField(default=dict, blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)
    seen = models.DateTimeField(_("seen"), default=timezone.now)

    class Meta:
        ordering = ("cluster", "resource", "namespace", "name")
        constraints = (
            models.UniqueConstraint(
                fields=("cluster", "resource", "namespace", "name"), name="one_object_of_a_name"
            ),
        )
        indexes = (
            # Keyset pages of one cluster's list by each column that can be sorted by.
            models.Index(fields=("cluster", "resource", "name", "id"), name="object_by_name"),
            models.Index(
                fields=("cluster", "resource", "status", "name", "id"), name="object_by_status"
            ),
            models.Index(
                fields=("cluster", "resource", "created", "name", "id"), name="object_by_age"
            ),
            models.Index(
                fields=("cluster", "resource", "node", "name", "id"), name="object_by_node"
            ),
            # What needs somebody, over all clusters and in one, in the order of lists.
            models.Index(
                fields=("health", "resource", "cluster", "name", "id"), name="object_by_health"
            ),
            models.Index(fields=("owner_uid",), name="object_by_owner"),
            models.Index(fields=("address",), name="object_by_address"),
            # Search reads the names of one kind after the other from this index alone.
            models.Index(fields=("resource", "name", "id"), name="object_by_name_anywhere"),
        )

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ClusterEvent(models.Model):
    """One event of a cluster, kept longer than the cluster itself keeps it (an hour)."""

    cluster = models.ForeignKey("clusters.Cluster", on_delete=models.CASCADE, related_name="events")
    uid = models.CharField(max_length=64)
    namespace = models.CharField(_("namespace"), max_length=63, blank=True)
    about_kind = models.CharField(_("kind"), max_length=63, blank=True)
    about_name = models.CharField(_("object"), max_length=253, blank=True)
    about_uid = models.CharField(max_length=64, blank=True)
    warning = models.BooleanField(_("warning"), default=False)
    reason = models.CharField(_("reason"), max_length=128, blank=True)
    message = models.TextField(_("message"), blank=True)
    source = models.CharField(_("source"), max_length=253, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    first = models.DateTimeField(_("first"), default=timezone.now)
    last = models.DateTimeField(_("last"), default=timezone.now)

    class Meta:
        ordering = ("-last",)
        constraints = (
            models.UniqueConstraint(fields=("cluster", "uid"), name="one_event_of_a_uid"),
        )
        indexes = (
            models.Index(fields=("cluster", "last", "id"), name="event_by_time"),
            models.Index(fields=("cluster", "about_uid", "last"), name="event_by_object"),
            models.Index(fields=("warning", "last"), name="event_warnings"),
        )

    def __str__(self) -> str:
        return f"{self.about_kind} {self.about_name}: {self.reason}"
