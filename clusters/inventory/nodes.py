"""Node rows from what an API server says of its nodes.

Everything in an answer is untrusted: a value of the wrong type is left out and
a text that is too long is cut, so that no cluster can make the watcher fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from clusters.inventory.raw import as_map, as_maps, moment, pairs, text
from clusters.models import Node

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


def node_of(cluster_id: int, item: Mapping[str, Any]) -> Node | None:
    """The unsaved row of a node object; None when the object has no name."""
    metadata, spec, status = (as_map(item.get(part)) for part in ("metadata", "spec", "status"))
    name = text(metadata.get("name"), 253)
    if not name:
        return None
    labels = pairs(metadata.get("labels"))
    conditions = [_condition(c) for c in as_maps(status.get("conditions"))]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    info = pairs(status.get("nodeInfo"))
    return Node(
        cluster_id=cluster_id,
        name=name,
        ready=ready,
        reason=_reason(conditions),
        roles=roles_of(labels),
        version=info.get("kubeletVersion", "")[:64],
        address=_address(status),
        unschedulable=spec.get("unschedulable") is True,
        capacity=pairs(status.get("capacity")),
        allocatable=pairs(status.get("allocatable")),
        labels=labels,
        taints=[pairs(taint) for taint in as_maps(spec.get("taints"))],
        conditions=conditions,
        info=info,
        created=moment(metadata.get("creationTimestamp")),
        seen=timezone.now(),
    )


def roles_of(labels: Mapping[str, str]) -> list[str]:
    """The roles that a node's labels give it, sorted."""
    roles = {key.removeprefix(ROLE_LABEL) for key in labels if key.startswith(ROLE_LABEL)}
    if "control-plane" in roles:
        roles.discard("master")  # the same role under its name of old
    return sorted(role for role in roles if role)


def _address(status: Mapping[str, Any]) -> str:
    for entry in as_maps(status.get("addresses")):
        if entry.get("type") == "InternalIP":
            return text(entry.get("address"), 64)
    return ""


def _condition(raw: Mapping[str, Any]) -> dict[str, str]:
    keys = ("type", "status", "reason", "message", "lastTransitionTime")
    return {key: text(raw.get(key), 500) for key in keys}


def _reason(conditions: list[dict[str, str]]) -> str:
    """What is wrong with a node, in the kubelet's own words; empty when nothing is."""
    wrong = []
    # A kubelet that is silent leaves every condition unknown: that is one thing, told once.
    silent = [c for c in conditions if c["type"] == "Ready" and c["status"] == "Unknown"]
    for condition in silent or conditions:
        good = "True" if condition["type"] == "Ready" else "False"
        if condition["status"] != good:
            told = condition["message"] or condition["reason"]
            wrong.append(f"{condition['type']}: {told}" if told else condition["type"])
    if not any(c["type"] == "Ready" for c in conditions):
        wrong.append("The kubelet has not reported yet.")
    return "\n".join(wrong)
