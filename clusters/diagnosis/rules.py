"""Which rule looks at which kind of row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from clusters.diagnosis import jobs, namespaces, nodes, pods, storage, workloads
from clusters.diagnosis.reading import Cause, mapping

Row = Any  # clusters.models.Object, saved or not; rules read its fields alone
_Cause = Callable[[Row, datetime], Cause]
_Refine = Callable[[Row, Cause, Sequence[Any], datetime], Cause]

_CAUSES: dict[str, _Cause] = {
    "pods": pods.cause,
    "nodes": nodes.cause,
    "namespaces": namespaces.cause,
    "jobs.batch": jobs.cause_of_job,
    "cronjobs.batch": jobs.cause_of_cron_job,
    "persistentvolumeclaims": storage.cause_of_claim,
    "persistentvolumes": storage.cause_of_volume,
    **dict.fromkeys(sorted(workloads.RESOURCES), workloads.cause),
}
_REFINES: dict[str, _Refine] = {
    "pods": pods.refine,
    "nodes": nodes.refine,
    "jobs.batch": jobs.refine_job,
    "cronjobs.batch": jobs.refine_cron_job,
    "persistentvolumeclaims": storage.refine_claim,
    "persistentvolumes": storage.refine_volume,
    **dict.fromkeys(sorted(workloads.RESOURCES), workloads.refine),
}
# Kinds whose rows say nothing of their own health.
_SILENT = frozenset(
    {"services", "ingresses.networking.k8s.io", "storageclasses.storage.k8s.io", "configmaps",
     "secrets"}
)  # fmt: skip


def cause_of(row: Row, now: datetime | None = None) -> Cause:
    """{} for what is well, else {"code", "values", "evidence"}, from the row alone.

    values: plain texts, numbers and, of a pod that no node takes, "parts" (see
    pods_schedule.parse). evidence: {"kind": "condition" | "container" | "event" |
    "status" | "object", "name", "since"}. Cheap, no queries; never raises,
    whatever the row holds.
    """
    if not mapping(row.summary) or row.resource in _SILENT:
        return {}
    rule = _CAUSES.get(row.resource, namespaces.cause_of_custom)
    return rule(row, now or timezone.now())


def refine(row: Row, events: Sequence[Any], now: datetime | None = None) -> Cause:
    """The better cause with the object's own events (ClusterEvent rows, any order); never raises.

    It looks at the row again: what only time shows (a pod that does not end) is
    not in the cause that the watcher kept.
    """
    now = now or timezone.now()
    found = cause_of(row, now)
    rule = _REFINES.get(row.resource)
    return rule(row, found, events, now) if rule and mapping(row.summary) else found
