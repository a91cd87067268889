"""A recipe as rows of the journal: which there will be, and which row belongs to what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from provisioning.journal import PlannedStep
from provisioning.models import TaskStep
from provisioning.run import Failure
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Action, ConsoleStep, Phase, Placed, Recipe

LOOKS = ("preflight", "after")  # phases that only read
FACTS_STEP = "facts"
CHECK_STEP = "check"

Part = tuple[Phase, Placed]


@dataclass(frozen=True)
class Key:
    """Names one row: phase, step, and the host's id (None: once for the cluster)."""

    phase: str
    step: str
    host: int | None


def planned_steps(recipe: Recipe, spec: ClusterSpec) -> list[PlannedStep]:
    """The journal's rows of a recipe: the preflight, each phase's steps on each host, a last look.

    What is known of the hosts afterwards is what the next plan is made from.
    """
    return [planned for _key, planned in _rows(recipe, spec)]


def rows_by_key(
    recipe: Recipe, spec: ClusterSpec, rows: Sequence[TaskStep]
) -> Mapping[Key, TaskStep]:
    """Which of a task's rows is which, by their order: a row may have lost its host meanwhile.

    Raises Failure when the recipe has other steps now than when the task was
    launched: then another version of the console wrote them.
    """
    planned = list(_rows(recipe, spec))
    same = [(key.phase, key.step) for key, _p in planned] == [(r.phase, r.step) for r in rows]
    if not same:
        raise Failure(
            code="recipe",
            found=_("The steps of this task are not those that this console would take."),
            hint=_("The console was upgraded meanwhile: start the operation anew."),
        )
    return {key: row for (key, _planned), row in zip(planned, rows, strict=True)}


def _rows(recipe: Recipe, spec: ClusterSpec) -> Iterator[tuple[Key, PlannedStep]]:
    yield from _looks(spec.touched, "preflight", _("Preflight"), _("Look at the host"))
    check = PlannedStep("preflight", _("Preflight"), CHECK_STEP, _("Check what was found"))
    yield Key("preflight", CHECK_STEP, None), check
    for phase in recipe.phases(spec):
        for placed in phase.placed:
            step = placed.step
            once = not placed.hosts or placed.anywhere
            hosts: Iterable[HostSpec | None] = (None,) if once else placed.hosts
            for host in hosts:
                yield (
                    Key(phase.id, step.id, host.id if host else None),
                    PlannedStep(
                        phase.id,
                        phase.title,
                        step.id,
                        step.title,
                        host.id if host else None,
                        host.name if host else "",
                    ),
                )
    yield from _looks(spec.touched, "after", _("Afterwards"), _("Look at the host again"))


def _looks(
    hosts: Iterable[HostSpec], phase: str, title: str, step_title: str
) -> Iterator[tuple[Key, PlannedStep]]:
    for host in hosts:
        planned = PlannedStep(phase, title, FACTS_STEP, step_title, host.id, host.name)
        yield Key(phase, FACTS_STEP, host.id), planned


def stretches(phases: Iterable[Phase]) -> list[list[Part]]:
    """What runs without a barrier: steps that each host goes through at its own pace.

    A new stretch begins with a phase that does not follow on, with a step that
    is done once, which stands alone, after one, and around a rolling phase.
    """
    found: list[list[Part]] = []
    joined = False
    for phase in phases:
        joined = joined and phase.follows and not phase.rolling
        for placed in phase.placed:
            alone = stands_alone(placed)
            if joined and not alone:
                found[-1].append((phase, placed))
            else:
                found.append([(phase, placed)])
            joined = not alone
        joined = joined and not phase.rolling
    return found


def stands_alone(placed: Placed) -> bool:
    """Whether a step is done once, not by each host in its own time."""
    if placed.anywhere or isinstance(placed.step, ConsoleStep):
        return True
    return isinstance(placed.step, Action) and not placed.hosts
