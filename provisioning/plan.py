"""The plan: what a recipe would do, from stored facts alone. The same resources are what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec, HostSpec, Material
from provisioning.steps.base import (
    Action,
    ConsoleStep,
    Context,
    Placed,
    PlanItem,
    Recipe,
    Step,
    Verdict,
)
from provisioning.steps.compile import settle
from provisioning.steps.resources import Resource
from provisioning.steps.undo import UndoStep
from provisioning.texts import gettext as _


@dataclass(frozen=True)
class HostPlan:
    """What a step would do on one host (host None: on the console)."""

    host: HostSpec | None
    items: tuple[PlanItem, ...]

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict of its items: change, then unknown, then ok."""
        found = {item.verdict for item in self.items}
        for verdict in (Verdict.CHANGE, Verdict.UNKNOWN):
            if verdict in found:
                return verdict
        return Verdict.OK


@dataclass(frozen=True)
class StepPlan:
    """A step with what it would do on each of its hosts."""

    id: str
    title: str
    hosts: tuple[HostPlan, ...]


@dataclass(frozen=True)
class PhasePlan:
    """A phase with its steps."""

    id: str
    title: str
    steps: tuple[StepPlan, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that a recipe would do."""

    recipe: str
    phases: tuple[PhasePlan, ...]

    @property
    def changes(self) -> int:
        """How many items will change."""
        return sum(
            item.verdict is Verdict.CHANGE
            for phase in self.phases
            for step in phase.steps
            for host in step.hosts
            for item in host.items
        )

    def as_data(self) -> dict[str, Any]:
        """For JSON, in the reader's language: phases, steps, hosts and items as lists and dicts."""
        return {
            "recipe": self.recipe,
            "changes": self.changes,
            "phases": [
                {
                    "id": phase.id,
                    "title": _(phase.title),
                    "steps": [_step_data(step) for step in phase.steps],
                }
                for phase in self.phases
            ],
        }


def _step_data(step: StepPlan) -> dict[str, Any]:
    return {
        "id": step.id,
        "title": _(step.title),
        "hosts": [
            {
                "host": host.host.id if host.host else None,
                "name": host.host.name if host.host else "",
                "verdict": host.verdict.value,
                "items": [
                    {"title": i.title, "verdict": i.verdict.value, "detail": list(i.detail)}
                    for i in host.items
                ],
            }
            for host in step.hosts
        ],
    }


def plan(recipe: Recipe, spec: ClusterSpec, facts: Mapping[int, Facts], material: Material) -> Plan:
    """What `recipe` would do with this spec. Pure: nothing is run, nothing in material changes.

    facts: by host id; a host without facts is planned as one of which nothing
    is known. Raises ValueError for a spec that the recipe cannot serve.
    """
    phases = []
    for phase in recipe.phases(spec):
        steps = tuple(_placed(placed, spec, facts, material) for placed in phase.placed)
        phases.append(PhasePlan(phase.id, phase.title, steps))
    return Plan(recipe.id, tuple(phases))


def _placed(
    placed: Placed, spec: ClusterSpec, facts: Mapping[int, Facts], material: Material
) -> StepPlan:
    step = placed.step
    if isinstance(step, ConsoleStep):
        # A copy: planning must not be able to make certificates.
        items = tuple(step.plan(Context(spec, None, facts, dict(material))))
        return StepPlan(step.id, step.title, (HostPlan(None, items),))
    if isinstance(step, Action) and not placed.hosts:
        once = tuple(step.plan(Context(spec, None, facts, dict(material))))
        return StepPlan(step.id, step.title, (HostPlan(None, once),))
    hosts = []
    # What runs on any one of them is shown for the first, which is asked first.
    for host in placed.hosts[:1] if placed.anywhere else placed.hosts:
        ctx = Context(spec, host, facts, dict(material))
        if isinstance(step, Action):
            items = tuple(step.plan(ctx))
        else:
            items = _items(step, ctx, facts.get(host.id, Facts()))
        hosts.append(HostPlan(host, items))
    return StepPlan(step.id, step.title, tuple(hosts))


def _items(step: Step, ctx: Context, facts: Facts) -> tuple[PlanItem, ...]:
    if isinstance(step, UndoStep):
        return tuple(step.describe(ctx, facts))
    return evaluate(settle(step.resources(ctx)), facts)


def evaluate(resources: Sequence[Resource], facts: Facts) -> tuple[PlanItem, ...]:
    """The items of one host's resources, with what follows from one another.

    A unit restarts when something changes that it depends on; a wait whose
    predecessors change is not fulfilled before the run.
    """
    changed: set[str] = set()
    items = []
    for resource in resources:
        item = resource.evaluate(facts)
        causes = [key for key in resource.dependants() if key in changed]
        if item.verdict is Verdict.OK and causes:
            why = _("because %(key)s changes") % {"key": causes[0]}
            item = PlanItem(item.title, Verdict.CHANGE, (why,))
        if item.verdict is Verdict.CHANGE:
            changed.add(resource.key)
        items.append(item)
    return tuple(items)
