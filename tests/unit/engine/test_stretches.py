"""Where hosts wait for one another, and where they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provisioning.recipe_rows import stretches
from provisioning.spec import HostSpec
from provisioning.steps.base import ConsoleStep, Context, Phase, Placed, PlanItem, Step
from provisioning.steps.resources import Resource

HOSTS = (HostSpec(1, "a", "10.0.0.1", 0), HostSpec(2, "b", "10.0.0.2", 1))


class OnHost(Step):
    def __init__(self, name: str) -> None:
        self.id = self.title = name

    def resources(self, ctx: Context) -> Sequence[Resource]:
        return ()


class OnConsole(ConsoleStep):
    def __init__(self, name: str) -> None:
        self.id = self.title = name

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        return ()

    def run(self, ctx: Context, out: Callable[[str], None]) -> bool:
        return False


def phase(*names: str, **more: bool) -> Phase:
    return Phase(names[0], names[0], tuple(Placed(OnHost(n), HOSTS) for n in names), **more)


def names(*phases: Phase) -> list[list[str]]:
    return [[placed.step.id for _phase, placed in part] for part in stretches(phases)]


def test_a_phase_waits_for_the_one_before() -> None:
    assert names(phase("a", "b"), phase("c")) == [["a", "b"], ["c"]]


def test_a_phase_that_follows_does_not() -> None:
    found = names(phase("a"), phase("b", follows=True), phase("c", follows=True), phase("d"))
    assert found == [["a", "b", "c"], ["d"]]


def test_a_console_step_stands_alone() -> None:
    placed = (Placed(OnHost("a"), HOSTS), Placed(OnConsole("c")), Placed(OnHost("b"), HOSTS))
    assert names(Phase("m", "m", placed)) == [["a"], ["c"], ["b"]]
    console = Phase("c", "c", (Placed(OnConsole("c")),))
    assert names(console, phase("a", follows=True)) == [["c"], ["a"]]


def test_a_rolling_phase_stands_alone() -> None:
    found = names(phase("a"), phase("b", follows=True, rolling=True), phase("c", follows=True))
    assert found == [["a"], ["b"], ["c"]]
