"""What this app itself adds to the pages of clusters and of their objects."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from clusters import (
    access,
    control_plane_page,
    metrics_page,
    views,
    views_access,
    views_kinds,
    views_logs,
    views_terminal,
)
from clusters.log_sources import RESOURCES
from clusters.models import Cluster, Origin
from clusters.object_tabs import ObjectAction, ObjectTab, object_registry
from clusters.tabs import OPERATIONS, Action, Notice, Tab, registry


def register() -> None:
    """Add the tabs, buttons and notices. Called once, when the app is ready."""
    for tab in (
        Tab(
            "overview", _("Overview"), "clusters.view", "clusters/tab_overview.html",
            views.overview_context, order=0,
        ),
        Tab(
            "nodes", _("Nodes"), "clusters.view", "clusters/tab_nodes.html",
            views.nodes_context, order=10, count=lambda cluster: cluster.nodes.count(),
        ),
        Tab(
            "metrics", _("Metrics"), "clusters.view", "clusters/metrics/panel.html",
            metrics_page.cluster_tab, order=18,
        ),
        Tab(
            "kinds", _("Custom kinds"), "clusters.view", "clusters/tab_kinds.html",
            views_kinds.tab_context, order=80, group=OPERATIONS,
        ),
        Tab(
            "control-plane", _("Control plane"), "clusters.view",
            "clusters/tab_control_plane.html", control_plane_page.tab_context, order=15,
            group=OPERATIONS, shown=_ours,
        ),
    ):  # fmt: skip
        registry.add_tab(tab)
    for notice in (
        Notice("clusters/control_plane_notice.html", "clusters.view", control_plane_page.notice),
        Notice("operations/notice_access.html", "clusters.view", views_access.notice),
        Notice("operations/notice_place.html", "clusters.operate", views_access.place_notice),
    ):
        registry.add_notice(notice)
    registry.add_action(
        Action(
            _("Apply manifests"), "clusters:manifests", "clusters.operate",
            icon="file-upload", order=12,
            shown=lambda cluster: bool(cluster.seen) and not access.problem(cluster),
        )
    )  # fmt: skip
    for part in (
        ObjectTab(
            "logs", _("Logs"), "clusters.logs", "clusters/tab_logs.html",
            views_logs.tab_context, order=30, shown=lambda row: row.resource in RESOURCES,
            in_namespaces=True,
        ),
        ObjectTab(
            "metrics", _("Metrics"), "clusters.view", "clusters/metrics/panel.html",
            metrics_page.object_tab, order=40, shown=metrics_page.has_metrics,
        ),
    ):  # fmt: skip
        object_registry.add_tab(part)
    object_registry.add_action(
        ObjectAction(
            "terminal", _("Terminal"), "clusters:terminal", "clusters.exec",
            icon="terminal-2", shown=views_terminal.has_terminal, order=20, in_namespaces=True,
        )
    )  # fmt: skip


def _ours(cluster: Cluster) -> bool:
    return cluster.origin == Origin.PROVISIONED
