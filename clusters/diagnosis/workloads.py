"""Deployments, StatefulSets, DaemonSets and ReplicaSets that do not get what they want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis import admission
from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    event_evidence,
    make,
    mapping,
    message,
    newest,
    text,
    whole,
)

RESOURCES = frozenset(
    {"deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps"}
)

# Reasons of the condition Progressing (pkg/controller/deployment/util).
_STOPPED = {
    "ProgressDeadlineExceeded": "rollout_stuck",
    "ReplicaSetCreateError": "create_refused",
    "FailedCreate": "create_refused",
}
_ROLLING = frozenset({"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"})


def cause(row: Any, _now: datetime) -> Cause:
    """From the row alone."""
    summary = mapping(row.summary)
    if found := admission.of_conditions(summary):
        return found
    progress = condition(summary, "Progressing")
    if progress.get("status") == "False" and (code := _STOPPED.get(str(progress.get("reason")))):
        said = text(progress.get("message")) if code == "create_refused" else ""
        return make(code, condition_evidence(progress), **_numbers(summary), said=said)
    if row.resource == "deployments.apps":
        return _of_deployment(summary, progress)
    if row.resource == "daemonsets.apps" and (stray := whole(summary.get("misscheduled"))):
        return make("daemon_misscheduled", _status(row), number=stray)
    if whole(summary.get("ready")) < whole(summary.get("desired")):
        return make("replicas_missing", _status(row), **_numbers(summary))
    return {}


def _of_deployment(summary: Mapping[str, Any], progress: Mapping[str, Any]) -> Cause:
    available = condition(summary, "Available")
    rolling = progress.get("status") == "True" and text(progress.get("reason")) in _ROLLING
    if available.get("status") == "False" and not rolling and whole(summary.get("desired")):
        return make("replicas_missing", condition_evidence(available), **_numbers(summary))
    return {}


def refine(row: Any, found: Cause, events: Sequence[Any], _now: datetime) -> Cause:
    """With the workload's own events: who refuses its pods."""
    code = found.get("code", "")
    if code in ("replicas_missing", "rollout_stuck", "create_refused"):
        if better := admission.of_events(events):
            return better
        for event in newest(events, "FailedDaemonPod", "FailedPlacement", "RecreatingFailedPod")[
            :1
        ]:
            said = text(message(getattr(event, "message", "")))
            return make("workload_says", event_evidence(event), said=said)
    return found


def with_pod(row: Any, found: Cause, pod: Any, pod_cause: Cause) -> Cause:
    """The cause of the worst pod as that of its workload; pod's name and place are its proof."""
    if not pod_cause:
        return found
    evidence = {
        "kind": "object",
        "resource": pod.resource,
        "namespace": pod.namespace,
        "name": pod.name,
        "since": text(mapping(pod_cause.get("evidence")).get("since"), 40),
    }
    values = {**_numbers(mapping(row.summary)), **mapping(pod_cause.get("values"))}
    return {"code": pod_cause["code"], "values": values, "evidence": evidence}


def ordinal(row: Any, found: Cause, pods: Sequence[Any]) -> Cause:
    """A StatefulSet that makes its pods one after the other: which one it waits for.

    pods: all of its pods. Source: StatefulSets, "Deployment and Scaling Guarantees".
    """
    desired = min(whole(mapping(row.summary).get("desired")), 10_000)
    by_name = {pod.name: pod for pod in pods}
    for number in range(desired):
        pod = by_name.get(f"{row.name}-{number}")
        if pod is None or pod.health != "good":
            waiting = sum(f"{row.name}-{n}" not in by_name for n in range(number + 1, desired))
            if not waiting:
                return found
            return make(
                "ordinal_waits",
                {"kind": "object", "resource": "pods", "namespace": row.namespace,
                 "name": f"{row.name}-{number}"},
                pod=f"{row.name}-{number}",
                waiting=waiting,
            )  # fmt: skip
    return found


def _numbers(summary: Mapping[str, Any]) -> dict[str, int]:
    return {
        "desired": whole(summary.get("desired")),
        "ready_pods": whole(summary.get("ready")),
        "updated": whole(summary.get("updated")),
    }


def _status(row: Any) -> dict[str, str]:
    return {"kind": "status", "name": text(row.status, 64)}
