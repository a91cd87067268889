"""The custom kinds that a cluster offers, and those of them that somebody wants to see."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.inventory.kinds import Kind


class WatchedKind(models.Model):
    """One custom kind of one cluster that the watcher mirrors because a person asked for it."""

    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="watched_kinds"
    )
    group = models.CharField(_("group"), max_length=253)
    version = models.CharField(_("version"), max_length=63)
    plural = models.CharField(max_length=63)
    kind = models.CharField(_("kind"), max_length=63)
    namespaced = models.BooleanField(default=True)
    wanted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("group", "plural")
        constraints = (
            models.UniqueConstraint(
                fields=("cluster", "group", "plural"), name="one_watched_kind_of_a_name"
            ),
        )

    def __str__(self) -> str:
        return self.as_kind.resource

    @property
    def as_kind(self) -> Kind:
        """What the watcher asks the API server for."""
        return Kind(self.group, (self.version,), self.plural, self.kind, self.namespaced)


class OfferedKinds(models.Model):
    """What a cluster's API groups offer, as the watcher last read them.

    kinds: [{group, version, plural, kind, namespaced}]; asked: when a page last
    wanted to know; read: when the watcher last looked; problem: why it could not.
    """

    cluster = models.OneToOneField(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="offered_kinds"
    )
    kinds = models.JSONField(default=list)
    asked = models.DateTimeField(null=True)
    read = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"kinds of {self.cluster_id}"
