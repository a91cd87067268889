"""Rows of custom kinds: nothing is known of them but the customs about conditions."""

from __future__ import annotations

from clusters.inventory.raw import JSON, as_map, condition, conditions, filled
from clusters.inventory.told import Told
from clusters.models import Health

# The "summary" conditions of the API conventions ("Typical status properties").
GOOD_WHEN_TRUE = ("Ready", "Available", "Succeeded")


def custom(item: JSON) -> Told:
    """Any object: its conditions, and a status when one of them is a summary."""
    found = conditions(as_map(item.get("status")))
    told = Told(summary=filled({"conditions": found}))
    for kind in GOOD_WHEN_TRUE:
        state = condition(found, kind).get("status")
        if state in ("True", "False"):
            told.status = kind if state == "True" else f"Not{kind}"
            told.health = Health.GOOD if state == "True" else Health.WARN
            break
    return told
