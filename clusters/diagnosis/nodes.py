"""Nodes that are away, not ready, under pressure, cordoned or too old."""

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
    mapping,
    mappings,
    message,
    newest,
    seconds_since,
    text,
)
from clusters.kube.skew import Rule, kubelet_fits

_NETWORK = re.compile(
    r"NetworkPluginNotReady|network plugin|NetworkReady=false|cni (?:plugin|config)|CNI failed",
    re.IGNORECASE,
)
_RUNTIME = re.compile(
    r"container runtime (?:is down|status check|not ready)|RuntimeReady=false|PLEG is not healthy"
    r"|failed to get runtime status|rpc error.{0,200}containerd|runtime is down",
    re.IGNORECASE,
)
_SHUTDOWN = re.compile(r"node is shutting down", re.IGNORECASE)
_STARTING = re.compile(
    r"CSINode is not yet initialized|may not have (?:been performed|completed) yet", re.IGNORECASE
)
_DETAIL = re.compile(r"reason:(\S{1,60}) message:(.{1,600})")
_PRESSURES = {
    "DiskPressure": "node_disk",
    "MemoryPressure": "node_memory",
    "PIDPressure": "node_pids",
    "NetworkUnavailable": "node_no_network",
}
# Conditions of the kubelet itself; others come from a node problem detector.
_OWN = frozenset({"Ready", "OutOfDisk", "EtcdIsVoter", *_PRESSURES})


def cause(row: Any, _now: datetime) -> Cause:
    """From the row alone."""
    summary = mapping(row.summary)
    ready = condition(summary, "Ready")
    if not ready:
        return make("node_never_reported", {"kind": "status", "name": text(row.status, 64)})
    if ready.get("status") != "True":
        return _not_ready(ready)
    for kind, code in _PRESSURES.items():
        found = condition(summary, kind)
        if found.get("status") == "True":
            said = text(found.get("message")) if code == "node_no_network" else ""
            return make(code, condition_evidence(found), said=said)
    for found in mappings(summary.get("conditions")):
        if found.get("status") == "True" and text(found.get("type"), 63) not in _OWN:
            return make(
                "node_problem",
                condition_evidence(found),
                problem=text(found.get("type"), 63),
                said=text(found.get("message")),
            )
    if summary.get("unschedulable") is True:
        return make("node_cordoned", {"kind": "status", "name": "unschedulable"})
    return {}


def _not_ready(ready: Mapping[str, Any]) -> Cause:
    said, evidence = message(ready.get("message")), condition_evidence(ready)
    since = evidence["since"]
    if ready.get("status") == "Unknown" or "stopped posting node status" in said:
        never = "never posted" in said or ready.get("reason") == "NodeStatusNeverUpdated"
        return make("node_never_reported" if never else "node_away", evidence, since=since)
    for code, pattern in (
        ("node_shutting_down", _SHUTDOWN),
        ("node_network_plugin", _NETWORK),
        ("node_runtime", _RUNTIME),
        ("node_starting", _STARTING),
    ):
        if pattern.search(said):
            return make(code, evidence, since=since, said=_short(said))
    return make("node_not_ready", evidence, since=since, said=text(said))


def _short(said: str) -> str:
    """The plug-in's or the runtime's own words."""
    match = _DETAIL.search(said)
    return text(match[2] if match else said)


def refine(_row: Any, found: Cause, events: Sequence[Any], now: datetime) -> Cause:
    """With the node's events: a kernel that had to end processes for want of memory."""
    if found:
        return found
    for event in newest(events, "SystemOOM", "InvalidDiskCapacity", "FreeDiskSpaceFailed")[:3]:
        age = seconds_since(getattr(event, "last", None), now)
        reason = getattr(event, "reason", "")
        if age is None or age > 3600 or reason == "InvalidDiskCapacity":
            continue
        code = "node_oom" if reason == "SystemOOM" else "node_disk_full"
        return make(code, event_evidence(event), said=text(getattr(event, "message", "")))
    return {}


def skewed(row: Any, api_server: str) -> Cause:
    """A kubelet that is too old or too new for its API server; {} where it fits.

    api_server: the cluster's version. Source: Version Skew Policy.
    """
    own = text(mapping(row.summary).get("version"), 64)
    try:
        rule = kubelet_fits(own, api_server)
    except ValueError:
        return {}
    if rule is None:
        return {}
    code = "node_too_new" if rule == Rule.KUBELET_NEWER else "node_too_old"
    return make(code, {"kind": "status", "name": "version"}, version=own, server=api_server)
