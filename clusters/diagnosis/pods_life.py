"""What became of a pod as a whole: evicted, preempted, refused by its node, lost, not going."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    event_evidence,
    make,
    message,
    newest,
    seconds_since,
    text,
    texts,
)

# deletionTimestamp is the moment at which the pod should be gone: what comes after is too long.
TERMINATING_SECONDS = 120.0
_LOW = re.compile(r"low on resource: \[?([-A-Za-z./]{1,60})")
_THRESHOLD = re.compile(
    r"Threshold quantity: ([^\s,]{1,40}), available: ([^\s,]{1,40}?)\.?(?:\s|$)"
)
_USING = re.compile(
    r"Container (\S{1,63}) was using ([^\s,]{1,40}), (?:which exceeds its )?request"
    r"(?: is| of) ([^\s,]{1,40}?)[.,]?(?:\s|$)"
)
# pkg/kubelet/eviction/helpers.go
_OVER_LIMIT = re.compile(
    r"usage of EmptyDir volume \"(?P<volume>[^\"]{1,253})\" exceeds the limit"
    r" \"(?P<a>[^\"]{1,40})\""
    r"|container (?P<container>\S{1,63}) exceeded its local ephemeral storage limit"
    r" \"(?P<b>[^\"]{1,40})\""
    r"|usage exceeds the total limit of containers (?P<c>\S{1,40}?)\.?(?:\s|$)",
    re.IGNORECASE,
)
_PREEMPTED = re.compile(r"Preempted by (?:a )?(?:pod )?([^\s,]{1,320})")

# Reasons of pods; how a kubelet refuses one that the scheduler gave it: pkg/kubelet/lifecycle.
_REASONS = {
    "Preempting": "preempted",
    "Preempted": "preempted",
    "NodeLost": "node_lost",
    "Shutdown": "node_shutdown",
    "NodeShutdown": "node_shutdown",
    "Terminated": "node_shutdown",
    "DeadlineExceeded": "pod_deadline",
    "NodeAffinity": "node_affinity",
    "TopologyAffinityError": "node_topology",
    "NodePorts": "node_ports",
    "UnexpectedAdmissionError": "node_refused",
    "PodOSNotSupported": "node_refused",
    "SysctlForbidden": "node_refused",
    "AppArmor": "node_refused",
}
_WITH_WORDS = frozenset({"preempted", "pod_deadline", "node_refused", "node_topology"})


def of_row(row: Any, summary: Mapping[str, Any]) -> Cause:
    """A pod that has ended for a reason of its node or of the cluster."""
    reason = text(summary.get("reason"), 64) or text(getattr(row, "status", ""), 64)
    disruption = condition(summary, "DisruptionTarget")
    if disruption.get("status") != "True":
        disruption = {}
    said = message(summary.get("message")) or message(disruption.get("message"))
    evidence = {"kind": "status", "name": reason, "since": text(disruption.get("since"), 40)}
    node = text(getattr(row, "node", ""), 253)
    if reason == "Evicted":
        return _evicted(said, evidence, node)
    if reason.startswith("OutOf"):
        what = reason.removeprefix("OutOf")
        return make("node_out_of", evidence, node=node, what=what, said=text(said))
    code = _REASONS.get(reason, "")
    if disruption.get("reason") == "PreemptionByScheduler":
        code = "preempted"
    if not code or (code == "node_shutdown" and summary.get("phase") != "Failed"):
        return {}
    return make(code, evidence, node=node, said=text(said) if code in _WITH_WORDS else "")


def of_events(row: Any, events: Sequence[Any]) -> Cause:
    """Eviction and preemption, of which an older kubelet leaves the figures in an event."""
    node = text(getattr(row, "node", ""), 253)
    for event in newest(events, "Evicted", "Preempted")[:1]:
        said = message(getattr(event, "message", ""))
        if getattr(event, "reason", "") == "Evicted":
            return _evicted(said, event_evidence(event), node)
        match = _PREEMPTED.search(said)
        by = match[1] if match else ""
        return make("preempted", event_evidence(event), node=node, by=by)
    return {}


def terminating(
    row: Any, summary: Mapping[str, Any], events: Sequence[Any], now: datetime
) -> Cause:
    """A pod that should be gone and is not; {} while there is time."""
    since = text(summary.get("deleted"), 40)
    age = seconds_since(since, now)
    if age is None or age < TERMINATING_SECONDS:
        return {}
    evidence = {"kind": "status", "name": "Terminating", "since": since}
    node = text(getattr(row, "node", ""), 253)
    minutes = max(1, int(age // 60))
    if names := ", ".join(texts(summary.get("finalizers"))[:5]):
        return make("pod_finalizers", evidence, finalizers=names, minutes=minutes)
    for event in newest(events, "FailedKillPod", "FailedPreStopHook")[:1]:
        said = text(getattr(event, "message", ""))
        return make("pod_kill_failed", event_evidence(event), node=node, minutes=minutes, said=said)
    ready = condition(summary, "Ready")
    if ready.get("status") == "Unknown" or newest(events, "NodeNotReady", "NodeLost"):
        proof = condition_evidence(ready) if ready else evidence
        return make("pod_node_away", proof, node=node, minutes=minutes)
    return make("pod_terminating", evidence, node=node, minutes=minutes)


def _evicted(said: str, evidence: Mapping[str, str], node: str) -> Cause:
    if "low on resource" not in said:
        match = _OVER_LIMIT.search(said)
        if match:
            limit = match["a"] or match["b"] or match["c"]
            where = {"volume": match["volume"], "container": match["container"]}
            return make("evicted_over_limit", evidence, node=node, limit=limit, **where)
        return make("evicted", evidence, node=node, said=text(said))
    low, threshold, using = _LOW.search(said), _THRESHOLD.search(said), _USING.search(said)
    return make(
        "evicted_low",
        evidence,
        node=node,
        resource=_resource(low[1]) if low else "",
        threshold=threshold[1] if threshold else "",
        available=threshold[2] if threshold else "",
        container=using[1] if using else "",
        used=using[2] if using else "",
        requested=using[3] if using else "",
    )


def _resource(word: str) -> str:
    """What there was too little of; kubelets once named the condition: "DiskPressure"."""
    return word.rstrip(".").removesuffix("Pressure").lower()
