"""The custom kinds of a cluster that are watched: their figures, and the choice of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest

from clusters.inventory.kinds import Kind
from clusters.models import Cluster, Health, WatchedKind
from clusters.rights import visible_objects
from console.accounts.models import User
from console.audit.record import record

Chosen = dict[str, Kind]


@dataclass(frozen=True)
class Watched:
    """One watched kind: its objects, those that need a look, and why none can be seen."""

    row: WatchedKind
    name: str
    number: int
    troubled: int
    problem: str


def watched(user: User, cluster: Cluster) -> list[Watched]:
    """What is watched, with figures of the objects that the user may see. Two queries."""
    rows = list(cluster.watched_kinds.select_related("wanted_by"))
    names = [row.as_kind.resource for row in rows]
    bad = Q(health__in=(Health.WARN, Health.BAD))
    figures: dict[str, tuple[int, int]] = {
        row["resource"]: (row["number"], row["troubled"])
        for row in visible_objects(user)
        .filter(cluster=cluster, resource__in=names)
        .order_by()
        .values("resource")
        .annotate(number=Count("id"), troubled=Count("id", filter=bad))
    }
    return [
        Watched(row, name, *figures.get(name, (0, 0)), cluster.not_watched.get(name, ""))
        for row, name in zip(rows, names, strict=True)
    ]


def choose(cluster: Cluster, kinds: Iterable[Kind], request: HttpRequest) -> bool:
    """Watch these kinds and no others. Whether that is a change."""
    chosen = {kind.resource: kind for kind in kinds}
    return _change(cluster, lambda _before: chosen, request)


def watch(cluster: Cluster, kind: Kind, request: HttpRequest) -> bool:
    """Watch one kind more. Whether that is a change."""
    return _change(cluster, lambda before: {**before, kind.resource: kind}, request)


def unwatch(cluster: Cluster, resource: str, request: HttpRequest) -> bool:
    """Watch "widgets.example.org" no longer. Whether that is a change."""
    return _change(
        cluster, lambda before: {k: v for k, v in before.items() if k != resource}, request
    )


def _change(cluster: Cluster, decide: Callable[[Chosen], Chosen], request: HttpRequest) -> bool:
    """decide: from what is watched to what is to be. One audit event when that is a change."""
    with transaction.atomic():
        Cluster.objects.select_for_update().get(pk=cluster.pk)
        before = {row.as_kind.resource: row for row in cluster.watched_kinds.all()}
        chosen = decide({name: row.as_kind for name, row in before.items()})
        for name in before.keys() & chosen.keys():
            # What the cluster serves now: a kind grows up from v1beta1 to v1.
            if before[name].version != chosen[name].versions[0]:
                before[name].version = chosen[name].versions[0]
                before[name].save(update_fields=["version"])
        if before.keys() == chosen.keys():
            return False
        for name in before.keys() - chosen.keys():
            before[name].delete()
        WatchedKind.objects.bulk_create(
            WatchedKind(
                cluster=cluster,
                group=kind.group,
                version=kind.versions[0],
                plural=kind.plural,
                kind=kind.kind,
                namespaced=kind.namespaced,
                wanted_by=cast(User, request.user),
            )
            for name, kind in chosen.items()
            if name not in before
        )
        record(
            "cluster.kinds_chosen",
            cluster,
            request=request,
            before={"kinds": sorted(before)},
            after={"kinds": sorted(chosen)},
        )
    return True
