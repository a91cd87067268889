"""Node rows from what an API server says of its nodes.

Everything in an answer is untrusted: a value of the wrong type is left out and
a text that is too long is cut, so that no cluster can make the watcher fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters.inventory.lease import Lease
from clusters.models import Node

PATH = "/api/v1/nodes"
ROLE_LABEL = "node-role.kubernetes.io/"
FIELDS = (
    "ready",
    "reason",
    "roles",
    "version",
    "address",
    "unschedulable",
    "capacity",
    "allocatable",
    "labels",
    "taints",
    "conditions",
    "info",
    "created",
    "seen",
)


class Nodes:
    """The collection /api/v1/nodes and the rows that it becomes."""

    path = PATH

    def replace(self, lease: Lease, items: list[dict[str, Any]]) -> None:
        """Make the rows equal to a complete list. Raises LeaseLost."""
        rows = {row.name: row for item in items if (row := node_of(lease.cluster_id, item))}
        with lease.holding() as cluster:
            cluster.nodes.exclude(name__in=rows).delete()
            Node.objects.bulk_create(
                rows.values(),
                update_conflicts=True,
                unique_fields=("cluster", "name"),
                update_fields=FIELDS,
                batch_size=200,
            )

    def apply(self, lease: Lease, kind: str, item: dict[str, Any]) -> None:
        """Take one watch event into the rows. Raises LeaseLost."""
        row = node_of(lease.cluster_id, item)
        if row is None:
            return
        with lease.holding() as cluster:
            if kind == "DELETED":
                cluster.nodes.filter(name=row.name).delete()
            elif kind in ("ADDED", "MODIFIED"):
                Node.objects.bulk_create(
                    [row],
                    update_conflicts=True,
                    unique_fields=("cluster", "name"),
                    update_fields=FIELDS,
                )


def node_of(cluster_id: int, item: Mapping[str, Any]) -> Node | None:
    """The unsaved row of a node object; None when the object has no name."""
    metadata, spec, status = (_map(item.get(part)) for part in ("metadata", "spec", "status"))
    name = _text(metadata.get("name"), 253)
    if not name:
        return None
    labels = _texts(metadata.get("labels"))
    conditions = [_condition(c) for c in _maps(status.get("conditions"))]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    info = _texts(status.get("nodeInfo"))
    return Node(
        cluster_id=cluster_id,
        name=name,
        ready=ready,
        reason=_reason(conditions),
        roles=_roles(labels),
        version=info.get("kubeletVersion", "")[:64],
        address=_address(status),
        unschedulable=spec.get("unschedulable") is True,
        capacity=_texts(status.get("capacity")),
        allocatable=_texts(status.get("allocatable")),
        labels=labels,
        taints=[_texts(taint) for taint in _maps(spec.get("taints"))],
        conditions=conditions,
        info=info,
        created=_time(metadata.get("creationTimestamp")),
        seen=timezone.now(),
    )


def _roles(labels: Mapping[str, str]) -> list[str]:
    roles = {key.removeprefix(ROLE_LABEL) for key in labels if key.startswith(ROLE_LABEL)}
    if "control-plane" in roles:
        roles.discard("master")  # the same role under its name of old
    return sorted(role for role in roles if role)


def _address(status: Mapping[str, Any]) -> str:
    for entry in _maps(status.get("addresses")):
        if entry.get("type") == "InternalIP":
            return _text(entry.get("address"), 64)
    return ""


def _condition(raw: Mapping[str, Any]) -> dict[str, str]:
    keys = ("type", "status", "reason", "message", "lastTransitionTime")
    return {key: _text(raw.get(key), 500) for key in keys}


def _reason(conditions: list[dict[str, str]]) -> str:
    """What is wrong with a node, in the kubelet's own words; empty when nothing is."""
    wrong = []
    for condition in conditions:
        good = "True" if condition["type"] == "Ready" else "False"
        if condition["status"] != good:
            told = condition["message"] or condition["reason"]
            wrong.append(f"{condition['type']}: {told}" if told else condition["type"])
    if not any(c["type"] == "Ready" for c in conditions):
        wrong.append("The kubelet has not reported yet.")
    return "\n".join(wrong)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: Any, limit: int) -> str:
    # A NUL is valid JSON, and PostgreSQL takes none.
    return value.replace("\x00", "")[:limit] if isinstance(value, str) else ""


def _texts(value: Any) -> dict[str, str]:
    pairs = _map(value).items()
    return {key: _text(text, 1000) for key, text in pairs if isinstance(text, str)}


def _time(value: Any) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
