"""The HA drill: take one part of the control plane away and measure what clients feel."""

from __future__ import annotations

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.drill import DrillCheck, DrillRecovered, Rehearse


def phases(_spec: ClusterSpec) -> tuple[Phase, ...]:
    """Nothing is changed for good: what was stopped runs again at the end."""
    return (
        Phase("check", "Before the drill", (Placed(DrillCheck()),)),
        Phase("drill", "Drill", (Placed(Rehearse()),)),
        Phase("recovered", "Recovery", (Placed(DrillRecovered()),)),
    )


DRILL = Recipe("drill", "HA drill", phases)
