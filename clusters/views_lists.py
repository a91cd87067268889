"""The lists on a cluster's page: objects of some kinds, and events; from SQL alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from clusters.bulk import bulk_actions, key_of
from clusters.filters_objects import EventFilter, ObjectFilter, namespace_names
from clusters.guarded import namespace_of
from clusters.links import CLUSTER_WIDE, RESOURCES, kind_address, object_address
from clusters.listings import LISTINGS, Column, Listing
from clusters.metrics.latest import latest_of
from clusters.models import Cluster, ClusterEvent, ClusterStatus, Object
from clusters.rights import may, sees_all, visible_events, visible_objects
from clusters.tabs import ContextOf
from console.accounts.permissions import requires
from console.ui.lists import keyset

YEAR = 365 * 24 * 3600
# An answer that is older than this is called old: the watcher asks each cluster far more often.
FRESH = timedelta(minutes=2)


@dataclass(frozen=True)
class Cell:
    """One cell: its column and what it shows."""

    column: Column
    content: Any


@dataclass(frozen=True)
class Row:
    """One object of a list: the key that its box sends ("" for no box), and its cells."""

    key: str
    name: str
    cells: list[Cell]


def rows_of(
    objects: Iterable[Object],
    columns: Iterable[Column],
    may_act: Callable[[Object], bool] = lambda _row: True,
    *,
    whole: bool = True,
) -> list[Row]:
    """The objects as a table shows them; what they use costs three queries more.

    may_act: whether the reader may do something with an object, which gives it a box.
    whole: whether the reader sees more than namespaces.
    """
    shown, rows = list(columns), list(objects)
    uses = latest_of(rows) if any(column.used for column in shown) else {}
    return [
        Row(
            key_of(row) if may_act(row) else "",
            row.name,
            [Cell(column, column.content(row, uses, whole=whole)) for column in shown],
        )
        for row in rows
    ]


def freshness(cluster: Cluster) -> dict[str, Any]:
    """{"seen", "old"}: when the cluster last answered, and whether what is shown is old."""
    away = cluster.status == ClusterStatus.UNREACHABLE
    old = away or cluster.seen is None or timezone.now() - cluster.seen > FRESH
    return {"seen": cluster.seen, "old": old}


def context_of(listing: Listing) -> ContextOf:
    """The context of a list's tab, for clusters/tabs.py."""

    def context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
        return list_context(request, cluster, listing)

    return context


def list_context(request: HttpRequest, cluster: Cluster, listing: Listing) -> dict[str, Any]:
    """One page of a list as its address filters and sorts it."""
    names = namespace_names(request.user, cluster)
    form = ObjectFilter(request.GET, listing.resources, listing.statuses, names)
    visible = visible_objects(request.user).filter(cluster=cluster)
    objects = form.rows(visible)
    several = len(listing.resources) > 1 and not form.cleaned_data.get("kind")
    page = keyset(request, objects, sorts=listing.sorts, then=("name",), keys_first=several)
    columns = chosen_columns(request, listing)

    @cache
    def may_act_in(namespace: str) -> bool:
        return may(request.user, "clusters.operate", cluster, namespace)

    def may_act(row: Object) -> bool:
        return may_act_in(namespace_of(row))

    return {
        "listing": listing,
        "form": form,
        "page": page,
        "columns": columns,
        "all_columns": [(column, column in columns) for column in listing.columns],
        "rows": rows_of(page, columns, may_act, whole=sees_all(request.user)),
        "bulk": bulk_actions.for_list(request.user, cluster, listing.resources),
        "fresh": freshness(cluster),
    }


def chosen_columns(request: HttpRequest, listing: Listing) -> list[Column]:
    """The columns that this browser keeps for the list, or those of `?columns=a,b`."""
    kept = request.GET.get("columns") or request.COOKIES.get(_cookie(listing), "")
    wanted = set(kept.split(","))
    chosen = [column for column in listing.columns if column.id in wanted]
    if not chosen:
        return [column for column in listing.columns if column.shown]
    # The name says which object it is, and leads to it.
    return [listing.columns[0], *(column for column in chosen if column.id != "name")]


@requires(POST="clusters.view", in_namespaces=True)
def columns(request: HttpRequest) -> HttpResponse:
    """Keep the columns that somebody chose for a list, in this browser, and go back."""
    listing = LISTINGS.get(request.POST.get("list", ""))
    if listing is None:
        return HttpResponseBadRequest(_("There is no list of this name."))
    known = {column.id for column in listing.columns}
    chosen = [name for name in request.POST.getlist("column") if name in known]
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    response = HttpResponseRedirect(target if safe else "/")
    if request.POST.get("reset"):
        response.delete_cookie(_cookie(listing), samesite="Lax")
        return response
    response.set_cookie(
        _cookie(listing), ",".join(["name", *chosen]), max_age=YEAR, samesite="Lax",
        httponly=True, secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
    return response


def _cookie(listing: Listing) -> str:
    return f"flotilla_columns_{listing.id}"


@dataclass(frozen=True)
class EventRow:
    """One event, and the page of what it is about."""

    event: ClusterEvent
    href: str


def event_rows(events: Iterable[ClusterEvent], *, whole: bool = True) -> list[EventRow]:
    """Events with the pages of their objects, of those that are still in the inventory.

    whole: whether the reader sees more than namespaces, as the page of a node.
    """
    told = [(event, RESOURCES.get(event.about_kind, "")) for event in events]
    places = ("cluster_id", "resource", "namespace", "name")
    there = set(
        Object.objects.filter(
            cluster_id__in={event.cluster_id for event, _resource in told},
            resource__in={resource for _event, resource in told},
            name__in={event.about_name for event, _resource in told},
        ).values_list(*places)
    )

    def href(event: ClusterEvent, resource: str) -> str:
        wide = resource in CLUSTER_WIDE
        namespace = "" if wide else event.namespace
        if (event.cluster_id, resource, namespace, event.about_name) not in there:
            return ""  # what has gone has no page
        if wide and not whole:
            return ""
        return object_address(event.cluster_id, resource, namespace, event.about_name)

    return [EventRow(event, href(event, resource)) for event, resource in told]


def events_context(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """One page of the cluster's events, the newest first."""
    form = EventFilter(request.GET, namespace_names(request.user, cluster))
    events = visible_events(request.user).filter(cluster=cluster)
    page = keyset(request, form.rows(events), sorts=("-last",))
    rows = event_rows(page, whole=sees_all(request.user))
    return {"form": form, "page": page, "rows": rows, "fresh": freshness(cluster)}


def nodes_with_pages(cluster: Cluster) -> dict[str, str]:
    """By node name: its page, for the nodes that are in the inventory."""
    names = Object.objects.filter(cluster=cluster, resource="nodes")
    return {
        name: kind_address(cluster.pk, "Node", "", name)
        for name in names.values_list("name", flat=True)
    }
