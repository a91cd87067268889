"""Probes that fail: which one, what it answered, how often and since when."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis.reading import (
    Cause,
    Container,
    condition,
    condition_evidence,
    event_evidence,
    make,
    mapping,
    message,
    newest,
    seconds_since,
    text,
    whole,
)

# A container is given so long before "it is not ready yet" is news.
PATIENCE_SECONDS = 60.0
# The kubelet tells of a failing probe again at least this often while it goes on failing.
FRESH_SECONDS = 900.0
_FAILED = re.compile(
    r"(Readiness|Liveness|Startup) probe (?:failed|errored(?: and [\w ]{1,60})?): ?(.*)"
)
_KILLED = re.compile(r"Container (\S{1,63}) failed (liveness|startup) probe")
_STATUS = re.compile(r"statuscode: (\d{3})")


def of_pod(summary: Mapping[str, Any], containers: Sequence[Container], now: datetime) -> Cause:
    """A pod whose containers run and that is not ready, from the row alone."""
    ready = condition(summary, "Ready")
    if ready.get("status") != "False":
        return {}
    age = seconds_since(ready.get("since"), now)
    if age is not None and age < PATIENCE_SECONDS:
        return {}
    if ready.get("reason") == "ReadinessGatesNotReady":
        said = text(ready.get("message"))
        return make("readiness_gate", condition_evidence(ready), said=said)
    for container in containers:
        if container.init or container.state != "running" or container.ready:
            continue
        for kind in ("startup", "readiness"):
            if line := text(container.probes.get(kind), 200):
                return make(
                    "not_ready",
                    container.evidence,
                    **container.who,
                    probe=line,
                    probe_kind=kind,
                    restarts=container.restarts or None,
                )
    return {}


def of_events(
    containers: Sequence[Container], ready: bool, events: Sequence[Any], now: datetime
) -> Cause:
    """The probe that fails now, from the events Unhealthy and Killing.

    ready: whether the pod is ready; then only a liveness probe that restarts
    it again and again is news.
    """
    killed = newest(events, "Killing")[:20]
    for event in newest(events, "Unhealthy")[:20]:
        match = _FAILED.match(message(getattr(event, "message", "")))
        age = seconds_since(getattr(event, "last", None), now)
        if match is None or (age is not None and age > FRESH_SECONDS):
            continue
        kind = match[1].lower()
        container = _whose(containers, kind, killed)
        if ready and (kind != "liveness" or not container.restarts):
            continue
        return _cause(container, kind, match[2], event)
    return {}


def _whose(containers: Sequence[Container], kind: str, killed: Sequence[Any]) -> Container:
    """Whose probe it is: an event says it of a kill alone."""
    named = {
        match[1]
        for event in killed
        if (match := _KILLED.search(message(getattr(event, "message", ""))))
    }
    having = [one for one in containers if text(mapping(one.probes).get(kind), 200)]
    likely = [one for one in having if one.name in named] or [o for o in having if not o.ready]
    found = likely or having or list(containers)
    return found[0] if found else Container("?")


def _cause(container: Container, kind: str, said: str, event: Any) -> Cause:
    status = _STATUS.search(said)
    return make(
        f"probe_{kind}",
        event_evidence(event),
        **container.who,
        probe=text(container.probes.get(kind), 200),
        status=int(status[1]) if status else None,
        said="" if status else text(_short(said)),
        times=max(1, whole(getattr(event, "count", 1))),
        restarts=container.restarts or None,
    )


def _short(said: str) -> str:
    """Without the address of the request, which the probe's own line tells."""
    return re.sub(r'^(?:Get|Head) "?[^\s"]{1,500}"?: ', "", said)
