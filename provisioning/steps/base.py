"""What a step, a phase and a recipe are, and what the engine asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioning.spec import ClusterSpec, HostSpec, Material

if TYPE_CHECKING:
    from provisioning.facts import Facts
    from provisioning.steps.resources import Resource


class Verdict(StrEnum):
    """What the plan says of one resource on one host."""

    OK = "ok"
    CHANGE = "change"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PlanItem:
    """One line of the plan: what, the verdict, and the commands or the diff (secrets masked)."""

    title: str
    verdict: Verdict
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a step may look at while it says what should be true.

    facts holds the last known facts of every host of the cluster by host id;
    host is None for a step that runs once, on the console; away holds the ids
    of hosts that this run leaves out.
    """

    spec: ClusterSpec
    host: HostSpec | None
    facts: Mapping[int, Facts]
    material: Material
    away: frozenset[int] = frozenset()

    @property
    def present(self) -> tuple[HostSpec, ...]:
        """The members that this run has not left out."""
        return tuple(host for host in self.spec.hosts if host.id not in self.away)

    @property
    def here(self) -> HostSpec:
        """The host of a host step. Raises ValueError in a console step."""
        if self.host is None:
            raise ValueError("this step runs on the console and has no host")
        return self.host


class Step(ABC):
    """One concern: what should be true on a host, under a name that a person understands."""

    id: str
    title: str
    timeout: int = 300  # seconds, for one host

    @abstractmethod
    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The desired state, in the order in which it is to be made true."""


class ConsoleStep(ABC):
    """A step that runs once, inside the worker process (certificates, tokens)."""

    id: str
    title: str
    timeout: int = 120

    @abstractmethod
    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """What run() would do, without doing it."""

    @abstractmethod
    def run(self, ctx: Context, out: Callable[[str], None]) -> bool:
        """Make it so; True when something changed. May only write ctx.material."""


class Action(ABC):
    """A step that the worker does itself, on the cluster's API or with the hosts' connections.

    Recipes know only what it is called and what it will do; what it does is
    registered in provisioning.actions under its id. It must be idempotent:
    after a kill it runs again from its start.
    """

    id: str
    title: str
    timeout: int = 900

    @abstractmethod
    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """What it will do (ctx.host: for which host, None: once)."""


@dataclass(frozen=True)
class Placed:
    """A step and the hosts that it runs on (none for a console step or an action done once).

    anywhere: it runs once, on the first of these hosts that answers.
    """

    step: Step | ConsoleStep | Action
    hosts: tuple[HostSpec, ...] = ()
    anywhere: bool = False


@dataclass(frozen=True)
class Phase:
    """Steps that belong together; a phase starts when the one before is done.

    Inside a phase each host goes through its steps in order without waiting
    for the other hosts; rolling means one host at a time. follows=True: each
    host goes on into this phase as soon as it has done its own part of the one
    before, so that one host's long copies overlap another's waits.
    """

    id: str
    title: str
    placed: tuple[Placed, ...]
    rolling: bool = False
    follows: bool = False


@dataclass(frozen=True)
class Problem:
    """Why something may not go ahead: which host (0: the cluster), what, why and what to do.

    field is the name of the form or API field that the message belongs to.
    """

    code: str
    what: str
    mend: str
    host: int = 0
    field: str = ""


@dataclass(frozen=True)
class Recipe:
    """An operation: its name and the phases it makes from a spec."""

    id: str
    title: str
    phases: Callable[[ClusterSpec], tuple[Phase, ...]]
    preflight: Callable[[ClusterSpec, Mapping[int, Facts]], list[Problem]] = field(
        default=lambda _spec, _facts: []
    )
