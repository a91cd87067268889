"""Rows and events as the watcher makes them (docs/inventory.md), unsaved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clusters.inventory.kinds import BY_RESOURCE
from clusters.models import ClusterEvent, Object

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ago(**delta: float) -> str:
    return (NOW - timedelta(**delta)).isoformat()


def row(resource: str, summary: dict[str, Any], **fields: Any) -> Object:
    kind = BY_RESOURCE.get(resource)
    values: dict[str, Any] = {
        "resource": resource,
        "kind": kind.kind if kind else "Thing",
        "api_version": kind.api_version() if kind else "example.com/v1",
        "namespace": "shop" if kind is None or kind.namespaced else "",
        "name": "cart",
        "uid": "u-1",
        "created": NOW - timedelta(hours=1),
        **fields,
    }
    return Object(summary=summary, **values)


def container(**fields: Any) -> dict[str, Any]:
    return {
        "name": "app", "image": "registry.example.com/shop/cart:1.2", "ready": False,
        "restarts": 0, "state": "waiting", "since": ago(minutes=5), **fields,
    }  # fmt: skip


def running(**fields: Any) -> dict[str, Any]:
    return container(state="running", ready=True, since=ago(minutes=30), **fields)


def waiting(reason: str, message: str = "", **fields: Any) -> dict[str, Any]:
    return container(reason=reason, message=message, **fields)


def conditions(**statuses: str) -> list[dict[str, str]]:
    return [{"type": k, "status": v, "since": ago(minutes=5)} for k, v in statuses.items()]


def pod(*containers: dict[str, Any], phase: str = "Pending", **more: Any) -> Object:
    fields = {key: more.pop(key) for key in ("status", "node", "created") if key in more}
    summary = {
        "phase": phase,
        "containers": list(containers),
        "conditions": conditions(PodScheduled="True", Ready="False"),
        **more,
    }
    return row("pods", summary, **{"node": "node1", **fields})


def unscheduled(message: str, **more: Any) -> Object:
    found = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": message, "since": ago(minutes=5),
    }  # fmt: skip
    return pod(conditions=[found], node="", **more)


def event(reason: str, message: str, **fields: Any) -> ClusterEvent:
    values = {
        "uid": f"e-{reason}", "about_uid": "u-1", "warning": True, "count": 3,
        "first": NOW - timedelta(minutes=6), "last": NOW - timedelta(minutes=1), **fields,
    }  # fmt: skip
    return ClusterEvent(reason=reason, message=message, **values)
