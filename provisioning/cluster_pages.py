"""What provisioning adds to a cluster's page: tabs, buttons, and what to do when it went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from clusters.models import Cluster, ClusterStatus, Origin, Profile
from clusters.tabs import Action, Notice, Tab, registry
from provisioning.clusters import running_task
from provisioning.kubeconfig import has_authority
from provisioning.models import Host, Task, TaskStatus
from provisioning.models_hosts import ClusterRole

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


def missed(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """The members that were away while something was done to the cluster."""
    hosts = list(Host.objects.filter(cluster=cluster).exclude(missed="").order_by("name"))
    return {"missed": hosts, "may_repair": _idle(cluster)} if hosts else None


def remove_links(cluster: Cluster) -> Mapping[str, str]:
    """The page that removes each node; the only control plane of a lightweight one has none."""
    return _links(cluster, "provisioning:cluster-remove-node")


def replace_links(cluster: Cluster) -> Mapping[str, str]:
    """The page that replaces each node; the only control plane of a lightweight one has none."""
    return _links(cluster, "provisioning:cluster-replace-node")


def _links(cluster: Cluster, view: str) -> dict[str, str]:
    if not _may_change(cluster):
        return {}
    hosts = Host.objects.filter(cluster=cluster)
    if cluster.profile == Profile.LIGHTWEIGHT:
        hosts = hosts.exclude(cluster_role=ClusterRole.CONTROL_PLANE)
    page = reverse(view, args=[cluster.pk])
    return {host.name: f"{page}?host={host.pk}" for host in hosts}


def _may_change(cluster: Cluster) -> bool:
    """Idle, and its creation came to its end: hosts may come and go."""
    return _idle(cluster) and cluster.seen is not None and cluster.status != ClusterStatus.DELETING


def _idle(cluster: Cluster) -> bool:
    """One of ours, and no task of it waits or runs."""
    return cluster.origin == Origin.PROVISIONED and running_task(cluster) is None


def register() -> None:
    """Add the tabs, buttons and notices to the cluster's page."""
    registry.add_tab(
        Tab(
            "tasks", gettext_lazy("Tasks"), "tasks.view", "clusters/tab_tasks.html", tasks_context,
            order=30, count=lambda cluster: Task.objects.filter(cluster=cluster).count(),
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
