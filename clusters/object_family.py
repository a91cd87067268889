"""Who owns an object, what it owns, and what else belongs to it; from SQL alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.db.models.lookups import Exact

from clusters.links import CLUSTER_WIDE, RESOURCES
from clusters.models import Object
from clusters.words import listed, text

MOST = 100
DEPTH = 5


@dataclass(frozen=True)
class Relative:
    """One place in the tree. depth 0 is the topmost owner; here: the object itself."""

    row: Object
    depth: int
    here: bool = False


def siblings(row: Object, resource: str) -> QuerySet[Object]:
    """The objects of a kind in the same cluster, and in the same namespace where it has one."""
    rows = Object.objects.filter(cluster_id=row.cluster_id, resource=resource)
    if resource in CLUSTER_WIDE or not row.namespace:
        return rows
    return rows.filter(namespace=row.namespace)


def owners(row: Object) -> list[Object]:
    """The controllers above an object, the nearest first; ends where one is not watched."""
    found: list[Object] = []
    current = row
    while current.owner_name and len(found) < DEPTH:
        resource = RESOURCES.get(current.owner_kind, "")
        owner = siblings(row, resource).filter(name=current.owner_name).first()
        # A cluster may answer owners that own each other.
        if owner is None or owner.pk in (row.pk, *(one.pk for one in found)):
            break
        found.append(owner)
        current = owner
    return found


def children(rows: Iterable[Object], most: int = MOST) -> list[Object]:
    """What these objects control, ordered by name; at most so many."""
    parents = list(rows)
    uids = [row.uid for row in parents if row.uid]
    if not uids:
        return []
    found = Object.objects.filter(owner_uid__in=uids, cluster_id=parents[0].cluster_id)
    if parents[0].namespace:
        # Owners are of the same namespace: who claims another one's as theirs is not shown.
        found = found.filter(namespace=parents[0].namespace)
    return list(found.order_by("resource", "name")[:most])


def pods_of(row: Object) -> list[Object]:
    """The pods of a workload, through its ReplicaSets or Jobs."""
    below = children([row])
    pods = [child for child in below if child.resource == "pods"]
    between = [child for child in below if child.resource != "pods"]
    return [*pods, *(child for child in children(between) if child.resource == "pods")]


def tree(row: Object) -> list[Relative]:
    """Owners, the object and two levels of what it owns, in the order in which they are shown."""
    above = list(reversed(owners(row)))
    found = [Relative(owner, depth) for depth, owner in enumerate(above)]
    depth = len(above)
    found.append(Relative(row, depth, here=True))
    first = children([row])
    second: dict[str, list[Object]] = {}
    for grandchild in children(first):
        second.setdefault(grandchild.owner_uid, []).append(grandchild)
    for child in first:
        found.append(Relative(child, depth + 1))
        found += [Relative(one, depth + 2) for one in second.get(child.uid, [])]
    return found


def selected_pods(row: Object, selector: object, most: int = MOST) -> list[Object]:
    """The pods of the namespace that a service's selector selects; none for an empty one."""
    if not isinstance(selector, Mapping) or not selector:
        return []
    pods = siblings(row, "pods")
    for key, value in list(selector.items())[:20]:
        pods = pods.filter(Q(Exact(KeyTextTransform(str(key), F("labels")), str(value))))
    return list(pods.order_by("name")[:most])


def services_of(row: Object) -> list[Object]:
    """The services that select a pod."""
    labels = row.labels if isinstance(row.labels, dict) else {}
    found = []
    for service in siblings(row, "services").order_by("name")[: 5 * MOST]:
        selector = service.summary.get("selector")
        if (
            isinstance(selector, dict)
            and selector
            and all(labels.get(key) == value for key, value in selector.items())
        ):
            found.append(service)
    return found


def users_of_claim(row: Object) -> list[Object]:
    """The pods that mount a PersistentVolumeClaim."""
    pods = siblings(row, "pods").annotate(said=Cast("summary", TextField()))
    # A first sieve in SQL: the name must occur; what it means is looked at here.
    likely = pods.filter(said__contains=f'"{row.name}"').order_by("name")[: 2 * MOST]
    return [
        pod
        for pod in likely
        if any(
            volume.get("ref") == row.name and text(volume, "kind") in CLAIM_KINDS
            for volume in listed(pod.summary, "volumes")
        )
    ]


def ingresses_of(row: Object) -> list[Object]:
    """The ingresses that lead to a service."""
    rows = siblings(row, "ingresses.networking.k8s.io").order_by("name")[: 5 * MOST]
    return [
        ingress
        for ingress in rows
        if any(rule.get("service") == row.name for rule in listed(ingress.summary, "rules"))
    ]


CLAIM_KINDS = ("persistentVolumeClaim", "PersistentVolumeClaim", "pvc", "persistentvolumeclaim")
VOLUME_KINDS = {
    "configmap": "ConfigMap",
    "secret": "Secret",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "pvc": "PersistentVolumeClaim",
}


def volume_kind(volume: Mapping[str, Any]) -> str:
    """The kind of object behind a volume; "" for one that is none (emptyDir, hostPath)."""
    kind = volume.get("kind")
    return VOLUME_KINDS.get(kind.lower(), "") if isinstance(kind, str) else ""
