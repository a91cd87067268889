"""What upgrades and certificates add to a cluster's page: a tab, a button, two notices."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from clusters.models import Cluster, Origin
from clusters.tabs import OPERATIONS, Action, Notice, Tab, registry
from provisioning.certificates import Level, certificates_of, warning_of
from provisioning.clusters import operable, running_task
from provisioning.models import Task
from provisioning.upgrading import upgrade_problem


def certificates_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The certificates tab: certificates alone, no key is read."""
    return {"certificates": certificates_of(cluster), "renewable": operable(cluster)}


def certificates_end(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """That certificates end within 30 days, or have ended."""
    if cluster.origin != Origin.PROVISIONED or (warning := warning_of(cluster)) is None:
        return None
    urgent = warning.level in (Level.DAY, Level.EXPIRED)
    return {
        "warning": warning,
        "tone": "danger" if urgent else "warning",
        "renewable": operable(cluster),
    }


def upgrade_stands(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """That the last upgrade did not come to its end."""
    problem = upgrade_problem(cluster)
    if problem is None or running_task(cluster) is not None:
        return None
    tasks = Task.objects.filter(cluster=cluster, operation="upgrade")
    return {"problem": problem, "task": tasks.order_by("-id").first()}


def register() -> None:
    """Add them to the cluster's page."""
    registry.add_tab(
        Tab(
            "certificates", gettext_lazy("Certificates"), "clusters.view",
            "clusters/tab_certificates.html", certificates_context, order=20, group=OPERATIONS,
            shown=lambda cluster: cluster.origin == Origin.PROVISIONED,
        )
    )  # fmt: skip
    registry.add_action(
        Action(
            gettext_lazy("Upgrade"), "provisioning:cluster-upgrade", "clusters.change",
            icon="refresh", order=16, shown=operable,
        )
    )  # fmt: skip
    registry.add_notice(Notice("clusters/notice_upgrade.html", "clusters.view", upgrade_stands))
    registry.add_notice(
        Notice("clusters/notice_certificates.html", "clusters.view", certificates_end)
    )
