"""Resource pools: named sets of a cluster's nodes that carry workloads."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ResourcePool(models.Model):
    """A named set of nodes, the labels and taints that they get, and who may use them.

    nodes: names. labels: {key: value}. taints: [{"key", "value", "effect"}].
    namespaces: names of those that are bound to it. put: what the pool has put on
    nodes and would take away again, {node: {"labels": {key: value}, "taints":
    [{"key", "value", "effect"}]}}; written by clusters.pools. deleting: it only
    waits for its nodes to be as they were. problem: why the last try did not come
    to its end, "" when it did; checked: when that was.
    """

    cluster = models.ForeignKey("clusters.Cluster", on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(_("name"), max_length=63)
    description = models.CharField(_("description"), max_length=255, blank=True)
    nodes = models.JSONField(_("nodes"), default=list, blank=True)
    labels = models.JSONField(_("labels"), default=dict, blank=True)
    taints = models.JSONField(_("taints"), default=list, blank=True)
    namespaces = models.JSONField(_("namespaces"), default=list, blank=True)
    put = models.JSONField(default=dict, blank=True)
    deleting = models.BooleanField(default=False)
    problem = models.TextField(blank=True)
    checked = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        ordering = ("cluster", "name")
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="one_pool_of_a_name"),
        )

    def __str__(self) -> str:
        return self.name
