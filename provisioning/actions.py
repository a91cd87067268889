"""What actions do: steps that the worker does itself, registered by the id of their recipe step.

A recipe says that a node is to be drained or a snapshot taken
(provisioning.steps.base.Action); the code that talks to the cluster's API or
keeps files on the console stands in modules that know the database, and adds
itself here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clusters.models import Cluster
from provisioning.facts import Facts
from provisioning.host_runner import HostRunner
from provisioning.models import TaskStep
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec, HostSpec, Material


@dataclass(frozen=True)
class ActionContext:
    """What an action may use.

    host: which host it is about (None: the cluster as a whole); runners: a
    kept SSH connection for each host that answered, by host id; row: its
    journal row.
    """

    run: TaskRun
    cluster: Cluster
    spec: ClusterSpec
    host: HostSpec | None
    runners: Mapping[int, HostRunner]
    facts: Mapping[int, Facts]
    material: Material
    row: TaskStep

    @property
    def here(self) -> HostSpec:
        """The host of an action that is placed on hosts. Raises ValueError otherwise."""
        if self.host is None:
            raise ValueError("this action is about no single host")
        return self.host

    def log(self, text: str) -> None:
        """Add a line to the task's log, under this action and its host."""
        self.run.log(text, host=self.host.name if self.host else "", step=self.row.step)


# What it does, and how many changes that were. Raises Failure, Canceled or LeaseLost.
Do = Callable[[ActionContext], int]
ACTIONS: dict[str, Do] = {}


def action(id: str) -> Callable[[Do], Do]:
    """Register a function for the action of this id. Raises ValueError for one that is taken."""

    def mark(do: Do) -> Do:
        if id in ACTIONS:
            raise ValueError(f"the action {id} is registered twice")
        ACTIONS[id] = do
        return do

    return mark
