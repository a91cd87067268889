"""Why a thing is not well, in one sentence for the reader."""

from __future__ import annotations

from typing import Any

from clusters.diagnosis.words import words
from clusters.models import Health, Object

QUIET = (Health.GOOD, Health.MOVING, Health.NONE)
# Conditions that say something bad when they are true; all others when they are false.
BAD_WHEN_TRUE = ("Failed", "ReplicaFailure", "FailureTarget", "DisruptionTarget")


def cause_text(row: Object) -> str:
    """What the row itself says of its trouble; "" for what is well."""
    if row.cause:
        return words(row.cause).what
    if row.health in QUIET and row.status != "Pending":
        return ""
    summary = row.summary if isinstance(row.summary, dict) else {}
    return _of_containers(summary) or _of_conditions(row, summary)


def _of_containers(summary: dict[str, Any]) -> str:
    for container in listed(summary, "containers"):
        ended_before = container.get("last")
        last = ended_before if isinstance(ended_before, dict) else {}
        reason, message = text(container, "reason"), text(container, "message")
        if container.get("state") == "waiting" and reason not in ("ContainerCreating", ""):
            before = text(last, "reason")
            exit_code = last.get("exit_code")
            code = f" ({exit_code})" if isinstance(exit_code, int) else ""
            ended = f" · {before}{code}" if before else ""
            return f"{text(container, 'name')}: {message or reason}{ended}"
        if container.get("state") == "terminated" and container.get("exit_code"):
            return f"{text(container, 'name')}: {message or reason} ({container['exit_code']})"
    return ""


def _of_conditions(row: Object, summary: dict[str, Any]) -> str:
    for condition in listed(summary, "conditions"):
        kind = text(condition, "type")
        pressure = kind in BAD_WHEN_TRUE or kind.endswith(("Pressure", "Unavailable"))
        if condition.get("status") != ("True" if pressure else "False"):
            continue
        said = text(condition, "message") or text(condition, "reason")
        if (said and kind not in ("ContainersReady", "Ready")) or row.resource == "nodes":
            return said
    return ""


def listed(summary: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a list of a summary; what is none is left out."""
    found = summary.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(thing: dict[str, Any], key: str) -> str:
    """A text of a summary; "" for anything else."""
    value = thing.get(key)
    return value if isinstance(value, str) else ""
