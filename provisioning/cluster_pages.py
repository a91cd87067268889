"""What provisioning adds to a cluster's page: tabs, buttons, and what to do when it went wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from clusters.models import Cluster, ClusterStatus, Origin
from clusters.tabs import OPERATIONS, Action, Notice, Tab, registry
from provisioning.clusters import running_task
from provisioning.kubeconfig import has_authority
from provisioning.models import Task, TaskStatus

SHOWN_TASKS = 50


def tasks_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The tasks tab: the cluster's tasks, newest first."""
    tasks = Task.objects.filter(cluster=cluster).select_related("created_by")
    return {"tasks": tasks.order_by("-id")[:SHOWN_TASKS]}


def what_now(request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """A running task, or why the last one failed and the ways on."""
    if cluster.origin != Origin.PROVISIONED:
        return None
    running = running_task(cluster)
    last = Task.objects.filter(cluster=cluster).order_by("-id").first()
    failed = last is not None and last.status in (
        TaskStatus.FAILED, TaskStatus.ERROR, TaskStatus.CANCELED,
    )  # fmt: skip
    stuck = cluster.status in (ClusterStatus.FAILED, ClusterStatus.DELETING)
    if running is None and not (stuck and failed):
        return None
    return {"running": running, "failed_task": None if running else last}


def _idle(cluster: Cluster) -> bool:
    """One of ours, and no task of it waits or runs."""
    return cluster.origin == Origin.PROVISIONED and running_task(cluster) is None


def register() -> None:
    """Add the tabs, buttons and notices to the cluster's page."""
    registry.add_tab(
        Tab(
            "tasks", gettext_lazy("Tasks"), "tasks.view", "clusters/tab_tasks.html", tasks_context,
            order=30, group=OPERATIONS,
            count=lambda cluster: Task.objects.filter(cluster=cluster).count(),
        )
    )  # fmt: skip
    registry.add_action(
        Action(
            gettext_lazy("Kubeconfig"), "provisioning:cluster-kubeconfig", "clusters.kubeconfig",
            icon="file-download", shown=has_authority, order=10,
        )
    )  # fmt: skip
    registry.add_action(
        Action(
            gettext_lazy("Repair"), "provisioning:cluster-repair", "clusters.change",
            icon="tool", order=20,
            shown=lambda c: _idle(c) and c.status != ClusterStatus.DELETING,
        )
    )  # fmt: skip
    registry.add_action(
        Action(
            gettext_lazy("Delete"), "provisioning:cluster-delete", "clusters.change",
            icon="trash", shown=_idle, tone="outline-danger", order=30,
        )
    )  # fmt: skip
    registry.add_notice(Notice("clusters/notice_task.html", "clusters.view", what_now))
