"""Clusters and their objects for search (console/ui/search.py), from SQL alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from clusters import label_query
from clusters.cells import health_badge
from clusters.inventory.kinds import KINDS
from clusters.links import object_url
from clusters.models import Object
from clusters.rights import reachable_clusters, visible_clusters, visible_objects
from clusters.words import cause_text
from console.ui.search import LIMIT, Group, Hit, Query, Source, search_registry
from console.ui.templatetags.ui import status_badge_html

# As kubectl shortens them ("kubectl api-resources").
SHORT = {
    "po": "pods", "deploy": "deployments.apps", "rs": "replicasets.apps",
    "sts": "statefulsets.apps", "ds": "daemonsets.apps", "cj": "cronjobs.batch",
    "svc": "services", "ing": "ingresses.networking.k8s.io", "no": "nodes", "ns": "namespaces",
    "pvc": "persistentvolumeclaims", "pv": "persistentvolumes",
    "sc": "storageclasses.storage.k8s.io", "cm": "configmaps",
}  # fmt: skip
ICONS = {
    "pods": "box", "nodes": "server", "namespaces": "folders", "services": "network",
    "ingresses.networking.k8s.io": "network", "configmaps": "settings", "secrets": "settings",
    "persistentvolumeclaims": "database", "persistentvolumes": "database",
    "storageclasses.storage.k8s.io": "database",
}  # fmt: skip
# Searched in this order: what people look for most comes first.
ORDER = (
    "deployments.apps", "statefulsets.apps", "daemonsets.apps", "pods", "services",
    "ingresses.networking.k8s.io", "nodes", "namespaces",
)  # fmt: skip
CUSTOM = 40


def register() -> None:
    """Add both sources."""
    search_registry.add(Source("clusters", "clusters.view", clusters, order=10))
    search_registry.add(Source("objects", "clusters.view", objects, order=30, in_namespaces=True))


def clusters(user: Any, query: Query) -> Iterator[Group]:
    """Clusters whose name, version or endpoint holds every word."""
    if any(name != "cluster" for name, _value in query.operators):
        return
    rows = visible_clusters(user)
    for word in (*query.words, *query.values("cluster")):
        rows = rows.filter(name__icontains=word)
    found = list(rows.order_by("name")[: LIMIT + 1])
    hits = [
        Hit(
            row.name,
            reverse("clusters:detail", args=[row.pk]),
            kind="Cluster",
            status=status_badge_html(row.status, row.get_status_display()),
            word=row.status,
            since=row.created,
            text=row.version,
        )
        for row in found[:LIMIT]
    ]
    yield Group("clusters", _("Clusters"), icon="hexagons", hits=hits, more=len(found) > LIMIT)


def objects(user: Any, query: Query) -> Iterator[Group]:
    """Objects by kind: for each kind one query that stops at its 51st hit."""
    rows = _narrowed(user, query)
    if rows is None:
        return
    rows = rows.select_related("cluster")
    wanted = _resources(user, query)
    if query.words:
        exact = rows.filter(name=query.words[0].lower(), resource__in=wanted)
        hits = [_hit(row) for row in exact.order_by("resource", "name", "pk")[:LIMIT]]
        yield Group("exact", _("With exactly this name"), icon="target", hits=hits)
        if len(hits) < LIMIT:
            # They are shown once.
            rows = rows.exclude(name=query.words[0].lower())
    for resource in wanted:
        of_kind = rows.filter(resource=resource).order_by("name", "pk")
        found = list(of_kind[: LIMIT + 1])
        label = found[0].kind if found else resource
        yield Group(
            resource,
            label,
            icon=ICONS.get(resource, "stack-2"),
            hits=[_hit(row) for row in found[:LIMIT]],
            more=len(found) > LIMIT,
        )


def _hit(row: Object) -> Hit:
    return Hit(
        row.name,
        object_url(row),
        kind=row.kind,
        cluster=row.cluster.name,
        namespace=row.namespace,
        status=health_badge(row.status, row.health) if row.status or row.health else "",
        word=row.status,
        since=row.created,
        text=cause_text(row)[:200],
    )


def _narrowed(user: Any, query: Query) -> QuerySet[Object] | None:
    """The rows that pass words and operators; None where nothing can pass."""
    rows = visible_objects(user)
    if names := query.values("cluster"):
        chosen = reachable_clusters(user)
        for name in names:
            chosen = chosen.filter(name__icontains=name)
        rows = rows.filter(cluster_id__in=list(chosen.values_list("pk", flat=True)[:LIMIT]))
    for word in query.words:
        rows = rows.filter(name__contains=word.lower())
    exact = {"ns": "namespace", "ip": "address", "node": "node", "status": "status__iexact"}
    for operator, column in exact.items():
        for value in query.values(operator):
            rows = rows.filter(**{column: value})
    for value in query.values("image"):
        rows = rows.filter(images__icontains=value)
    for value in query.values("label"):
        try:
            requirements = label_query.parse(value)
        except label_query.BadSelector:
            return None
        for requirement in requirements:
            rows = rows.filter(label_query.condition(requirement))
    return rows


def _resources(user: Any, query: Query) -> list[str]:
    """The resources to look through, the most wanted first; custom kinds last."""
    known = [kind.resource for kind in KINDS]
    every = [*ORDER, *(resource for resource in known if resource not in ORDER)]
    every += _custom(user, known)
    names = query.values("kind")
    return [resource for resource in every if all(_is_kind(resource, n.lower()) for n in names)]


def _custom(user: Any, known: list[str]) -> list[str]:
    """Resources beside the usual ones: a step through the index for each, however many rows."""
    found: list[str] = []
    last = ""
    for _step in range(len(known) + CUSTOM):
        following = visible_objects(user).filter(resource__gt=last).order_by("resource")
        last = following.values_list("resource", flat=True).first() or ""
        if not last:
            break
        if last not in known:
            found.append(last)
    return found


def _is_kind(resource: str, name: str) -> bool:
    plural = resource.partition(".")[0]
    singular = plural.removesuffix("s")
    if plural.endswith(("sses", "shes", "xes")):
        singular = plural.removesuffix("es")
    elif plural.endswith("ies"):
        singular = f"{plural.removesuffix('ies')}y"
    return name in (resource, plural, singular) or SHORT.get(name) == resource
