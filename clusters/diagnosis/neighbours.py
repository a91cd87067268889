"""Causes that show only together with other rows: pods of a workload, services, classes, room.

Everything comes from SQL; each function makes a fixed number of queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    FloatField,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KT, KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone

from clusters.diagnosis import network, nodes, storage, workloads
from clusters.diagnosis.evidence import Evidence, evidence_link
from clusters.diagnosis.reading import Cause, figure, mapping, mappings, moment, text, whole
from clusters.diagnosis.rules import refine
from clusters.diagnosis.words import level, words
from clusters.models import ClusterEvent, Health, Object

EVENTS_EACH = 40
WORST_FIRST = Case(
    When(health=Health.BAD, then=Value(0)),
    When(health=Health.WARN, then=Value(1)),
    When(health=Health.MOVING, then=Value(2)),
    default=Value(3),
    output_field=IntegerField(),
)
_INGRESSES = "ingresses.networking.k8s.io"


@dataclass(frozen=True)
class Diagnosis:
    """What an object's page shows: cause, its words, and where the proof is."""

    cause: Cause
    what: str
    mend: str
    level: str
    evidence: Evidence
    since: datetime | None


def diagnose(row: Object, now: datetime | None = None) -> Diagnosis | None:
    """The cause of one saved row with its events and the rows around it; None when it is well."""
    now = now or timezone.now()
    found = refine(row, events_of([row]).get(row.pk, []), now)
    found = _around(row, found, now)
    return worded(row, found) if found else None


def worded(row: Any, found: Cause) -> Diagnosis:
    """A cause in the reader's language with the place of its proof."""
    said = words(found)
    since = moment(mapping(found.get("evidence")).get("since"))
    return Diagnosis(found, said.what, said.mend, level(found), evidence_link(row, found), since)


def events_of(rows: Iterable[Object]) -> dict[int, list[ClusterEvent]]:
    """The newest events about each row, by its pk; one query.

    A kubelet's event about its node carries the node's name as uid: of nodes the name counts.
    """
    rows = list(rows)
    by_uid = {(row.cluster_id, row.uid): row.pk for row in rows if row.uid}
    by_node = {(row.cluster_id, row.name): row.pk for row in rows if row.resource == "nodes"}
    if not by_uid and not by_node:
        return {}
    clusters = {row.cluster_id for row in rows}
    about = Q(about_uid__in={uid for _, uid in by_uid})
    if by_node:
        about |= Q(about_kind="Node", about_name__in={name for _, name in by_node})
    newest = ClusterEvent.objects.filter(about, cluster_id__in=clusters).order_by("-last")
    found: dict[int, list[ClusterEvent]] = defaultdict(list)
    for event in newest[: EVENTS_EACH * len(rows)]:
        pk = by_uid.get((event.cluster_id, event.about_uid))
        if pk is None and event.about_kind == "Node":
            pk = by_node.get((event.cluster_id, event.about_name))
        if pk is not None and len(found[pk]) < EVENTS_EACH:
            found[pk].append(event)
    return found


def _around(row: Object, found: Cause, now: datetime) -> Cause:
    resource = row.resource
    if resource in workloads.RESOURCES or resource == "jobs.batch":
        found = _of_workload(row, found, now)
    elif found and resource == "persistentvolumeclaims":
        classes = _in_cluster(row, "storageclasses.storage.k8s.io")
        found = storage.with_classes(row, found, list(classes))
    elif wants_room(found):
        found = with_room(found, room(row.cluster_id))
    elif not found and resource == "services":
        found = network.cause_of_service(row, pods_of_service(row))
    elif not found and resource == _INGRESSES:
        found = network.cause_of_ingress(row, _services_of(row))
    elif not found and resource == "nodes":
        found = nodes.skewed(row, row.cluster.version)
    return found


def _of_workload(row: Object, found: Cause, now: datetime) -> Cause:
    """The cause of its worst pod; a StatefulSet that waits names the pod it waits for."""
    if found and found["code"] not in ("replicas_missing", "rollout_stuck", "job_backoff"):
        return found
    if not found and row.health in (Health.GOOD, Health.NONE):
        return found
    owner = row.uid
    if row.resource == "deployments.apps":
        owner = _newest_replica_set(row)
    if not owner:
        return found
    pods = _in_cluster(row, "pods").filter(namespace=row.namespace, owner_uid=owner)
    worst = pods.exclude(health=Health.GOOD).order_by(WORST_FIRST, "id").first()
    if worst is not None:
        better = refine(worst, events_of([worst]).get(worst.pk, []), now)
        if wants_room(better):
            better = with_room(better, room(row.cluster_id))
        if better:
            return workloads.with_pod(row, found, worst, better)
    if found and row.resource == "statefulsets.apps":
        return workloads.ordinal(row, found, list(pods.only("name", "health")[:1000]))
    return found


def _newest_replica_set(row: Object) -> str:
    """The uid of the ReplicaSet of a Deployment's newest revision; "" when there is none."""
    sets = _in_cluster(row, "replicasets.apps").filter(namespace=row.namespace, owner_uid=row.uid)
    newest = max(sets[:200], key=_revision, default=None)
    return newest.uid if newest else ""


def _revision(row: Object) -> tuple[int, datetime]:
    raw = mapping(row.summary).get("revision")
    shown = text(raw, 20)
    return (int(shown) if shown.isdecimal() and shown.isascii() else whole(raw), row.created)


def _in_cluster(row: Object, resource: str) -> QuerySet[Object]:
    return Object.objects.filter(cluster_id=row.cluster_id, resource=resource)


def pods_of_service(row: Object) -> list[Object]:
    """The pods that a service's selector may fit; rules compare the labels once more."""
    pods = _in_cluster(row, "pods").filter(namespace=row.namespace)
    pairs = mapping(mapping(row.summary).get("selector"))
    if not pairs:
        return []
    for number, (key, value) in enumerate(list(pairs.items())[:10]):
        # A key that is a number would be taken for a place in a list.
        if isinstance(value, str) and not key.isdecimal():
            label = {f"label_{number}": Cast(KeyTextTransform(key, "labels"), TextField())}
            pods = pods.alias(**label).filter(**{f"label_{number}": value})
    return list(pods.only("labels", "summary")[:2000])


def _services_of(row: Object) -> Sequence[Object]:
    rules = mappings(mapping(row.summary).get("rules"))
    names = {text(rule.get("service"), 253) for rule in rules}
    services = _in_cluster(row, "services").filter(namespace=row.namespace, name__in=names)
    return list(services.only("name"))


# --- what is left on the nodes


@dataclass(frozen=True)
class Room:
    """The most that is left on any node that takes pods: cores and bytes not yet requested."""

    cpu: float
    memory: float


def wants_room(found: Cause) -> bool:
    """Whether a cause says that nodes have too little left."""
    parts = mapping(found.get("values")).get("parts") or []
    return found.get("code") == "unschedulable" and any(part[1] == "insufficient" for part in parts)


def with_room(found: Cause, left: Room | None) -> Cause:
    """The cause with what is left, of the resources that there is too little of."""
    if left is None:
        return found
    lacking = {part[2] for part in found["values"]["parts"] if part[1] == "insufficient"}
    values = dict(found["values"])
    if "cpu" in lacking:
        values["left_cpu"] = max(0.0, round(left.cpu, 3))
    if "memory" in lacking:
        values["left_memory"] = max(0.0, left.memory)
    return {**found, "values": values}


def room(cluster_id: int) -> Room | None:
    """What is left on a cluster's nodes by the pods' requests, as the scheduler counts; 2 queries.

    None when no node takes pods.
    """
    pods = (
        Object.objects.filter(cluster_id=cluster_id, resource="pods")
        .exclude(node="")
        .alias(phase=Cast(KT("summary__phase"), TextField()))
        .exclude(phase__in=("Succeeded", "Failed"))
        .values("node")
        .order_by()
        .annotate(
            cpu=Sum(Cast(KT("summary__cpu_request"), FloatField())),
            memory=Sum(Cast(KT("summary__memory_request"), FloatField())),
        )
    )
    taken = {pod["node"]: (pod["cpu"] or 0.0, pod["memory"] or 0.0) for pod in pods}
    cpus, memories = [], []
    machines = Object.objects.filter(cluster_id=cluster_id, resource="nodes")
    for name, summary in machines.values_list("name", "summary"):
        cpu, memory = figure(mapping(summary).get("cpu")), figure(mapping(summary).get("memory"))
        if mapping(summary).get("unschedulable") is True or cpu is None or memory is None:
            continue
        cpus.append(cpu - taken.get(name, (0.0, 0.0))[0])
        memories.append(memory - taken.get(name, (0.0, 0.0))[1])
    return Room(max(cpus), max(memories)) if cpus else None
