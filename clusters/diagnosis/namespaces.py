"""Namespaces that do not end, and custom objects that say themselves that they are not well."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    make,
    mapping,
    mappings,
    message,
    text,
)

# The order in which they explain each other (namespace controller's conditions).
_CONDITIONS = (
    ("NamespaceDeletionDiscoveryFailure", "namespace_discovery"),
    ("NamespaceDeletionGroupVersionParsingFailure", "namespace_discovery"),
    ("NamespaceDeletionContentFailure", "namespace_content_failure"),
    ("NamespaceFinalizersRemaining", "namespace_finalizers"),
    ("NamespaceContentRemaining", "namespace_content"),
)
_FINALIZERS = re.compile(r"finalizers remaining: (.{1,600})")
_FINALIZER = re.compile(r"([^\s,]{1,253}) in (\d{1,9}) resource instances")
_CONTENT = re.compile(r"([^\s,]{1,253}) has (\d{1,9}) resource instances")
_APIS = re.compile(r"unable to retrieve the complete list of server APIs: (.{1,600})")


def cause(row: Any, _now: datetime) -> Cause:
    """From the row of a namespace alone."""
    summary = mapping(row.summary)
    phase = text(summary.get("phase"), 20) or text(row.status, 20)
    if phase != "Terminating":
        return {}
    for kind, code in _CONDITIONS:
        found = condition(summary, kind)
        if found.get("status") != "True":
            continue
        said = message(found.get("message"))
        return make(code, condition_evidence(found), **_figures(said, summary), said=_rest(said))
    return {}


def _figures(said: str, summary: Any) -> dict[str, str]:
    named = _FINALIZER.findall(said)
    content = message(condition(summary, "NamespaceContentRemaining").get("message"))
    return {
        "finalizers": ", ".join(f"{name} ({count})" for name, count in named[:5]),
        "contents": ", ".join(f"{n.rstrip('.')} ({c})" for n, c in _CONTENT.findall(content)[:5]),
    }


def _rest(said: str) -> str:
    if _FINALIZERS.search(said) or _CONTENT.search(said):
        return ""
    match = _APIS.search(said)
    return text(match[1] if match else said)


def cause_of_custom(row: Any, _now: datetime) -> Cause:
    """A custom object whose condition Ready or Available is False (API conventions)."""
    for found in mappings(mapping(row.summary).get("conditions")):
        name = text(found.get("type"), 63)
        if name in ("Ready", "Available", "Synced", "Healthy") and found.get("status") == "False":
            said = text(found.get("message")) or text(found.get("reason"))
            return make("custom_not_ready", condition_evidence(found), condition=name, said=said)
    return {}
