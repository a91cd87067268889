"""What the inventory adds to clusters' pages: lists, events, and the tabs of an object's page."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext_lazy as _

from clusters import object_page, object_yaml, search_sources, views_lists
from clusters.listings import (
    CONFIG_LIST,
    NAMESPACE_LIST,
    NETWORK_LIST,
    POD_LIST,
    STORAGE_LIST,
    WORKLOAD_LIST,
)
from clusters.models import Cluster
from clusters.object_tabs import ObjectTab, object_registry
from clusters.tabs import Tab, registry

ORDERED = (
    (WORKLOAD_LIST, 11, "workloads"),
    (POD_LIST, 12, "pods"),
    (NETWORK_LIST, 13, ""),
    (STORAGE_LIST, 14, ""),
    (CONFIG_LIST, 15, ""),
    (NAMESPACE_LIST, 16, "namespaces"),
)


def register() -> None:
    """Add the tabs and the sources of search. Called once, when the app is ready."""
    for listing, order, figure in ORDERED:
        registry.add_tab(
            Tab(
                listing.id, listing.title, "clusters.view", "clusters/list_objects.html",
                views_lists.context_of(listing), order=order,
                count=_counted(figure) if figure else None,
                still="clusters/list_filter.html", in_namespaces=listing is not NAMESPACE_LIST,
            )
        )  # fmt: skip
    registry.add_tab(
        Tab(
            "events", _("Events"), "clusters.view", "clusters/list_events.html",
            views_lists.events_context, order=17, still="clusters/list_filter.html",
            in_namespaces=True,
        )
    )  # fmt: skip
    for tab in (
        ObjectTab(
            "summary", _("Summary"), "clusters.view", "clusters/objects/tab_summary.html",
            object_page.summary_context, order=0, in_namespaces=True,
        ),
        ObjectTab(
            "related", _("Related"), "clusters.view", "clusters/objects/tab_related.html",
            object_page.related_context, order=10, in_namespaces=True,
        ),
        ObjectTab(
            "events", _("Events"), "clusters.view", "clusters/objects/tab_events.html",
            object_page.events_context, order=20, in_namespaces=True,
        ),
        ObjectTab(
            "yaml", _("YAML"), "clusters.view", "clusters/objects/tab_yaml.html",
            object_yaml.yaml_context, order=30, in_namespaces=True,
        ),
    ):  # fmt: skip
        object_registry.add_tab(tab)
    search_sources.register()


def _counted(figure: str) -> Callable[[Cluster], int | None]:
    """The number of a tab from the cluster's figures: nothing is counted for it."""

    def count(cluster: Cluster) -> int | None:
        try:
            return int(getattr(cluster.figures, figure))
        except ObjectDoesNotExist:
            return None

    return count
