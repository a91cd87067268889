"""The tab "Snapshots" of a cluster's page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from clusters.models import Cluster, ClusterStatus, Origin
from clusters.tabs import OPERATIONS, Tab, registry
from console.accounts.permissions import allowed
from provisioning.clusters import running_task
from provisioning.models_snapshots import Snapshot, SnapshotSchedule, SnapshotState
from provisioning.snapshots import newest_ready

SHOWN = 200


def context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The snapshots, newest first, the schedule, and what this person may do with them."""
    ours = cluster.origin == Origin.PROVISIONED
    schedule = SnapshotSchedule.objects.filter(cluster=cluster).first()
    rows = Snapshot.objects.filter(cluster=cluster).select_related("task")
    idle = running_task(cluster) is None and cluster.status != ClusterStatus.DELETING
    newest = newest_ready(cluster)
    overdue = schedule is not None and schedule.enabled and schedule.next_due <= timezone.now()
    return {
        "ours": ours,
        "snapshots": rows[:SHOWN],
        "schedule": schedule,
        "newest": newest,
        "overdue": overdue,
        "may_change": allowed(request.user, "clusters.change"),
        "may_download": allowed(request.user, "clusters.kubeconfig"),
        "may_take": ours and idle and cluster.seen is not None,
        "idle": idle,
    }


def register() -> None:
    """Add the tab to the cluster's page."""
    registry.add_tab(
        Tab(
            "snapshots", gettext_lazy("Snapshots"), "clusters.view",
            "clusters/snapshots_tab.html", context, order=25, group=OPERATIONS,
            count=lambda cluster: Snapshot.objects.filter(
                cluster=cluster, state=SnapshotState.READY
            ).count(),
        )
    )  # fmt: skip
