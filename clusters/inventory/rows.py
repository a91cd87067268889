"""Inventory rows from raw objects of an API server; no object can make this fail."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone

from clusters.diagnosis import cause_of
from clusters.inventory import (
    rows_custom,
    rows_network,
    rows_nodes,
    rows_pods,
    rows_storage,
    rows_workloads,
)
from clusters.inventory.kinds import Kind
from clusters.inventory.raw import JSON, LINE, as_map, as_maps, moment, pairs, text
from clusters.inventory.told import Told
from clusters.models import Health, Object

BUILDERS: dict[str, Callable[[JSON], Told]] = {
    "nodes": rows_nodes.node,
    "namespaces": rows_nodes.namespace,
    "pods": rows_pods.pod,
    "deployments.apps": rows_workloads.deployment,
    "replicasets.apps": rows_workloads.replica_set,
    "statefulsets.apps": rows_workloads.stateful_set,
    "daemonsets.apps": rows_workloads.daemon_set,
    "jobs.batch": rows_workloads.job,
    "cronjobs.batch": rows_workloads.cron_job,
    "services": rows_network.service,
    "ingresses.networking.k8s.io": rows_network.ingress,
    "persistentvolumeclaims": rows_storage.claim,
    "persistentvolumes": rows_storage.volume,
    "storageclasses.storage.k8s.io": rows_storage.storage_class,
    "configmaps": rows_storage.config_map,
    "secrets": rows_storage.secret,
}
# What is set at an update; the others tell which row it is.
FIELDS = (
    "api_version", "kind", "uid", "status", "health", "cause", "owner_kind", "owner_name",
    "owner_uid", "node", "address", "images", "labels", "summary", "created", "seen",
)  # fmt: skip
IMAGES = 4000


def row_of(cluster_id: int, kind: Kind, api_version: str, item: JSON) -> Object | None:
    """The unsaved row of an object; None for what has no name."""
    metadata = as_map(item.get("metadata"))
    name = text(metadata.get("name"))
    if not name:
        return None
    told = BUILDERS.get(kind.resource, rows_custom.custom)(item)
    if metadata.get("deletionTimestamp") and kind.resource not in ("pods", "nodes"):
        told.status, told.health = "Terminating", Health.MOVING
    owner = next(
        (raw for raw in as_maps(metadata.get("ownerReferences")) if raw.get("controller") is True),
        {},
    )
    row = Object(
        cluster_id=cluster_id,
        resource=kind.resource,
        api_version=api_version,
        kind=kind.kind,
        namespace=text(metadata.get("namespace"), 63) if kind.namespaced else "",
        name=name,
        uid=text(metadata.get("uid"), 64),
        status=told.status[:64],
        health=told.health,
        owner_kind=text(owner.get("kind"), 63),
        owner_name=text(owner.get("name"), LINE),
        owner_uid=text(owner.get("uid"), 64),
        node=told.node,
        address=told.address,
        images=" ".join(dict.fromkeys(told.images))[:IMAGES],
        labels=pairs(metadata.get("labels")),
        summary=told.summary,
        created=moment(metadata.get("creationTimestamp")) or timezone.now(),
        seen=timezone.now(),
    )
    return finished(row)


def finished(row: Object) -> Object:
    """The row with its cause: the one place where diagnosis looks at every new row."""
    row.cause = cause_of(row)
    return row
