"""Why no node takes a pod: the scheduler's message in parts.

Sources: pkg/scheduler/framework (FitError) and its plugins, Kubernetes 1.20 to
1.35. The parts are joined by ", " and each begins with its number of nodes;
what follows about preemption repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    event_evidence,
    figure,
    make,
    mappings,
    message,
    text,
)

MOST_PARTS = 12
_HEAD = re.compile(r"(\d{1,6})/(\d{1,6}) nodes are available(?:: |, |$|\.)")
# Since 1.24 with preemption, since 1.31 with claims.
_TAIL = re.compile(r"[.,]? ?(?:preemption: |no new claims to deallocate|still not schedulable)")
_BETWEEN = re.compile(r", (?=\d+ )")
_PART = re.compile(r"(\d{1,6}) (.{1,400})")
_TAINT = re.compile(r"(?:had|untolerated) taint(?:s|\(s\))?(?: \{([^}]{0,320})\})?")
_CLAIM = re.compile(
    r'persistentvolumeclaim "([^"]{1,253})" (?:not found|is being deleted|bound to)'
)
# The first that fits: why, and the pattern.
_WHYS = (
    ("insufficient", re.compile(r"Insufficient ([^\s,.]{1,120}(?:\.[^\s,.]+)*)")),
    ("pods", re.compile(r"Too many pods")),
    ("taint", _TAINT),
    ("cordoned", re.compile(r"unschedulable")),
    ("selector", re.compile(r"didn't match (?:Pod's )?node (?:affinity|selector)|node affinity/")),
    ("name", re.compile(r"didn't match the requested (?:node name|hostname)")),
    ("anti_affinity", re.compile(r"anti-affinity")),
    ("affinity", re.compile(r"pod affinity")),
    ("spread", re.compile(r"topology spread")),
    ("ports", re.compile(r"free ports")),
    ("volume_place", re.compile(r"volume node affinity conflict|no available volume zone")),
    ("volume_count", re.compile(r"exceed max volume count")),
    ("volume_disk", re.compile(r"no available disk|conflict")),
    ("volume_none", re.compile(r"didn't find available persistent volumes|enough free storage")),
    ("unbound", re.compile(r"unbound immediate PersistentVolumeClaims", re.IGNORECASE)),
    ("not_ready", re.compile(r"not ready|unknown condition|network unavailable")),
    ("devices", re.compile(r"cannot allocate all claims|resourceclaim", re.IGNORECASE)),
)


def parse(said: str) -> dict[str, Any]:
    """A scheduler's message: {"nodes", "parts": [[how many nodes, why, what]…], "rest"}.

    nodes: how many were looked at, 0 when the message gives none; rest: words
    that are no part. Never raises.
    """
    said = message(said)
    head = _HEAD.search(said)
    nodes, body = (int(head[2]), said[head.end() :]) if head else (0, said)
    body = _TAIL.split(body, maxsplit=1)[0].strip().rstrip(".")
    parts: list[list[Any]] = []
    rest: list[str] = []
    for piece in _BETWEEN.split(body):
        match = _PART.fullmatch(piece.strip())
        if match:
            why, what = _why(match[2])
            parts.append([int(match[1]), why, what])
        elif piece.strip():
            rest.append(piece.strip())
    parts.sort(key=lambda part: -int(part[0]))
    return {"nodes": nodes, "parts": parts[:MOST_PARTS], "rest": text(", ".join(rest))}


def _why(reason: str) -> tuple[str, str]:
    for why, pattern in _WHYS:
        if match := pattern.search(reason):
            what = match[1] if pattern.groups and match[1] else ""
            return why, text(what.strip().replace(": }", "").rstrip(": "), 320)
    return "other", text(reason.removeprefix("node(s) "), 200)


def of_pod(summary: Mapping[str, Any]) -> Cause:
    """From the condition PodScheduled of a pod that has no node."""
    found = condition(summary, "PodScheduled")
    if found.get("status") != "False":
        return {}
    if found.get("reason") == "SchedulingGated":
        return make("scheduling_gated", condition_evidence(found), said=text(found.get("message")))
    return _cause(message(found.get("message")), summary, condition_evidence(found))


def of_event(summary: Mapping[str, Any], event: Any) -> Cause:
    """From an event FailedScheduling."""
    return _cause(message(getattr(event, "message", "")), summary, event_evidence(event))


def _cause(said: str, summary: Mapping[str, Any], evidence: Mapping[str, str]) -> Cause:
    parsed = parse(said)
    whys = {part[1] for part in parsed["parts"]}
    claims = [
        name
        for volume in mappings(summary.get("volumes"))
        if text(volume.get("kind"), 40).lower() in ("persistentvolumeclaim", "pvc", "claim")
        and (name := text(volume.get("ref"), 253))
    ]
    if match := _CLAIM.search(said):
        return make("claim_missing", evidence, claim=match[1])
    if "unbound" in whys or "unbound immediate PersistentVolumeClaims" in parsed["rest"]:
        return make("claim_unbound", evidence, claims=", ".join(claims[:5]))
    if "no nodes available" in said:
        return make("no_nodes", evidence)
    if not parsed["parts"]:
        return make("unschedulable_words", evidence, said=text(parsed["rest"] or said))
    # 1.30 to 1.33 say of one node what all lack; the number of nodes is then the sum.
    return make(
        "unschedulable",
        evidence,
        nodes=parsed["nodes"] or None,
        parts=parsed["parts"],
        asked_cpu=figure(summary.get("cpu_request")) if "insufficient" in whys else None,
        asked_memory=figure(summary.get("memory_request")) if "insufficient" in whys else None,
    )
