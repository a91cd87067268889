"""Why a pod is not well: the first thing that stands in its way, in the order of its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis import (
    admission,
    pods_crash,
    pods_images,
    pods_life,
    pods_probes,
    pods_schedule,
    pods_start,
    pods_volumes,
)
from clusters.diagnosis.reading import (
    Cause,
    Container,
    condition,
    containers,
    event_evidence,
    make,
    mapping,
    newest,
    seconds_since,
    text,
)

# A pod that is still being made after this long is worth a question.
SLOW_SECONDS = 300.0


def cause(row: Any, now: datetime) -> Cause:
    """From the row alone."""
    summary = mapping(row.summary)
    found = _cause(row, summary, now)
    evidence = found.get("evidence", {})
    if evidence.get("kind") == "container" and not evidence["since"]:
        # Of a container that waits the kubelet tells no time; the pod is not ready since then.
        evidence["since"] = text(condition(summary, "Ready").get("since"), 40)
    return found


def _cause(row: Any, summary: Mapping[str, Any], now: datetime) -> Cause:
    if summary.get("phase") == "Succeeded":
        return {}
    if found := pods_life.of_row(row, summary):
        return found
    if summary.get("deleted"):
        return pods_life.terminating(row, summary, (), now)
    if found := pods_schedule.of_pod(summary):
        return found
    parts = containers(summary)
    return (
        _of_containers(parts, now)
        or pods_probes.of_pod(summary, parts, now)
        or _init(parts, now)
        or _failed(row, summary)
    )


def refine(row: Any, found: Cause, events: Sequence[Any], now: datetime) -> Cause:
    """With the pod's events; `found` is what the row alone told."""
    summary = mapping(row.summary)
    if summary.get("phase") == "Succeeded":
        return {}
    code, parts = found.get("code", ""), containers(summary)
    better: Cause = {}
    if summary.get("deleted"):
        better = pods_life.terminating(row, summary, events, now)
    elif code in ("evicted", "pod_failed"):
        better = pods_life.of_events(row, events)
    elif code == "image_not_pulled":
        waiting = next(one for one in parts if pods_images.of_container(one))
        better = pods_images.refined(waiting, found, newest(events, "Failed"))
    elif code in ("unschedulable_words", "") and _unscheduled(row, summary):
        better = _scheduling(summary, events)
    elif not code:
        better = _of_events(row, parts, events, now)
    elif code in ("not_ready", "crash", "crash_unknown", "ends_by_itself"):
        better = _probe(parts, found, events, now)
    return better or found


def _of_containers(parts: Sequence[Container], now: datetime) -> Cause:
    for container in parts:
        if container.init and container.state == "terminated" and not container.ended.bad:
            continue
        found = (
            pods_images.of_container(container)
            or pods_start.of_container(container)
            or pods_crash.of_container(container, now)
        )
        if found:
            return found
    return {}


def _init(parts: Sequence[Container], now: datetime) -> Cause:
    """An init container that goes on and on, while what it prepares has not begun."""
    inits = [one for one in parts if one.init]
    mains = [one for one in parts if not one.init]
    if not inits or any(one.state in ("running", "terminated") for one in mains):
        return {}
    # One that runs beside the pod (restartPolicy Always) is ready, and the next one goes on.
    running = [one for one in inits if one.state == "running" and not one.ready]
    if not running:
        return {}
    age = seconds_since(running[0].since, now)
    if age is None or age < SLOW_SECONDS:
        return {}
    return make(
        "init_slow",
        running[0].evidence,
        container=running[0].name,
        number=inits.index(running[0]) + 1,
        inits=len(inits),
        minutes=int(age // 60),
        restarts=running[0].restarts or None,
    )


def _failed(row: Any, summary: Any) -> Cause:
    if summary.get("phase") == "Unknown":
        node = text(getattr(row, "node", ""), 253)
        return make("node_lost", {"kind": "status", "name": "Unknown"}, node=node)
    if summary.get("phase") != "Failed":
        return {}
    said = text(summary.get("message"))
    return make("pod_failed", {"kind": "status", "name": "Failed"}, said=said)


def _unscheduled(row: Any, summary: Any) -> bool:
    scheduled = condition(summary, "PodScheduled").get("status") == "True"
    return not getattr(row, "node", "") and not scheduled


def _scheduling(summary: Any, events: Sequence[Any]) -> Cause:
    for event in newest(events, "FailedScheduling")[:5]:
        found = pods_schedule.of_event(summary, event)
        if found["code"] != "unschedulable_words":
            return found
    return {}


def _of_events(row: Any, parts: Sequence[Container], events: Sequence[Any], now: datetime) -> Cause:
    """Of a pod whose containers say nothing bad."""
    started = any(one.state in ("running", "terminated") for one in parts)
    if not started:
        if found := pods_volumes.of_events(events):
            return found
        for event in newest(events, "FailedCreate", "Failed")[:5]:
            if found := admission.of_event(event):
                return found
    summary = mapping(row.summary)
    ready = condition(summary, "Ready").get("status") == "True"
    if found := pods_probes.of_events(parts, ready, events, now):
        return found
    if not ready:
        for event in newest(events, "NodeNotReady")[:1]:
            age = seconds_since(getattr(event, "last", None), now)
            if age is not None and age < 24 * 3600:
                node = text(getattr(row, "node", ""), 253)
                return make("pod_on_away_node", event_evidence(event), node=node)
    age = seconds_since(getattr(row, "created", None), now)
    if not started and summary.get("phase") == "Pending" and age and age > SLOW_SECONDS:
        evidence = {"kind": "status", "name": "Pending", "since": ""}
        node = text(getattr(row, "node", ""), 253)
        return make("slow_start", evidence, node=node, minutes=int(age // 60))
    return {}


def _probe(parts: Sequence[Container], found: Cause, events: Sequence[Any], now: datetime) -> Cause:
    """A probe that explains what the row says: not ready, or killed again and again."""
    better = pods_probes.of_events(parts, ready=False, events=events, now=now)
    if not better:
        return {}
    if found["code"] == "not_ready":
        return better
    # A crash of its own is its own cause. The kubelet's kills end by SIGTERM, SIGKILL, or with 0
    # where the program takes the SIGTERM as a wish to end.
    killed = found["values"].get("exit_code") in (0, 137, 143) or found["values"].get("signal")
    if better["code"] in ("probe_liveness", "probe_startup") and killed:
        return better
    return {}
