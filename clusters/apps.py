"""The clusters app: its own tabs of a cluster's page."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClustersConfig(AppConfig):
    """What a cluster is, and the talk with API servers."""

    name = "clusters"

    def ready(self) -> None:
        from clusters import control_plane_page, views
        from clusters.tabs import Notice, Tab, registry

        registry.add_tab(
            Tab(
                "overview", _("Overview"), "clusters.view", "clusters/tab_overview.html",
                views.overview_context, order=0,
            )
        )  # fmt: skip
        registry.add_tab(
            Tab(
                "nodes", _("Nodes"), "clusters.view", "clusters/tab_nodes.html",
                views.nodes_context, order=10, count=lambda cluster: cluster.nodes.count(),
            )
        )  # fmt: skip
        registry.add_tab(
            Tab(
                "control-plane", _("Control plane"), "clusters.view",
                "clusters/tab_control_plane.html", control_plane_page.tab_context, order=15,
            )
        )  # fmt: skip
        registry.add_notice(
            Notice("clusters/control_plane_notice.html", "clusters.view", control_plane_page.notice)
        )
