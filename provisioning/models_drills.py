"""HA drills: what was stopped, and what the API's clients felt of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster
from provisioning.models_tasks import Task


class DrillTarget(models.TextChoices):
    """What a drill stops."""

    HAPROXY = "haproxy", _("HAProxy on the host that holds the virtual IP")
    KEEPALIVED = "keepalived", _("keepalived on the host that holds the virtual IP")
    API_SERVER = "api_server", _("the API server on the host that holds the virtual IP")
    ETCD_LEADER = "etcd_leader", _("etcd on the host of its leader")
    HOST = "host", _("the whole host that holds the virtual IP")


class Drill(models.Model):
    """One rehearsal. result: clusters.kube.outage.Result as JSON, {} until it was measured."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="drills")
    task = models.OneToOneField(Task, null=True, on_delete=models.SET_NULL, related_name="drill")
    target = models.CharField(_("stopped"), max_length=16, choices=DrillTarget)
    # "power": the power was cut; "stop": a clean stop.
    means = models.CharField(max_length=8, default="stop")
    host_name = models.CharField(_("host"), max_length=63, blank=True)
    holder_after = models.CharField(_("virtual IP went to"), max_length=63, blank=True)
    stopped = models.DateTimeField(_("stopped at"), null=True)
    put_back = models.DateTimeField(_("put back at"), null=True)
    longest_ms = models.FloatField(_("longest outage"), null=True)
    result = models.JSONField(default=dict)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.target} of {self.cluster_id}"
