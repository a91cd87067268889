"""A plan as pages and the API show it: with the durations that earlier runs taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioning.facts import Facts
from provisioning.journal import learned_seconds
from provisioning.plan import Plan, plan
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Recipe


@dataclass(frozen=True)
class PlanView:
    """A plan and the seconds that its steps took so far, by step id (missing: never run)."""

    plan: Plan
    seconds: Mapping[str, float]

    @property
    def total_seconds(self) -> float | None:
        """About how long it takes: hosts work side by side, steps one after another."""
        known = [
            self.seconds[step.id]
            for phase in self.plan.phases
            for step in phase.steps
            if step.id in self.seconds
        ]
        return sum(known) if known else None

    def phases(self) -> list[dict[str, Any]]:
        """For templates: phases with steps, each with its expected seconds."""
        return [
            {
                "id": phase.id,
                "title": phase.title,
                "steps": [
                    {"plan": step, "seconds": self.seconds.get(step.id)} for step in phase.steps
                ],
            }
            for phase in self.plan.phases
        ]

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        data = self.plan.as_data()
        for phase in data["phases"]:
            for step in phase["steps"]:
                step["expected_seconds"] = self.seconds.get(step["id"])
        return data | {"expected_seconds": self.total_seconds}


def plan_view(
    recipe: Recipe, spec: ClusterSpec, facts: Mapping[int, Facts], material: dict[str, str]
) -> PlanView:
    """Plan a recipe from stored facts. Raises ValueError for a spec that it cannot serve."""
    made = plan(recipe, spec, facts, material)
    steps = {step.id for phase in made.phases for step in phase.steps}
    return PlanView(made, learned_seconds(steps))
