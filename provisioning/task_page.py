"""What the task page shows, computed from the task's rows: phases, grid, topology.

Pure: rows in, plain values out; nothing here asks the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from provisioning.models import Host, StepStatus, Task, TaskStatus, TaskStep
from provisioning.models_hosts import ClusterRole

DONE = (StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED)
AWAY = "away"  # the code of a step that was left out because its host could not be reached
# Beyond this many cells only the phases that matter now are shown step by step.
MANY_CELLS = 400


@dataclass(frozen=True)
class Progress:
    """How far some steps are: one word, how many are done, expected and elapsed seconds."""

    status: str
    done: int
    total: int
    expected: float | None
    started: datetime | None
    elapsed: float | None  # None while it runs: the page counts from `started`

    @property
    def percent(self) -> int:
        """0 to 100."""
        return round(100 * self.done / self.total) if self.total else 0


@dataclass(frozen=True)
class StepRow:
    """One row of the grid: a step and its cells in the order of the hosts (None: not there)."""

    step: str
    title: str
    cells: tuple[TaskStep | None, ...]


@dataclass(frozen=True)
class PhaseView:
    """One phase: its progress and its rows; `folded` when only its heading is shown.

    notes: what its running steps wait for, the last line of each, with the host.
    """

    id: str
    title: str
    progress: Progress
    rows: tuple[StepRow, ...]
    folded: bool = False
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NodeView:
    """One machine of the topology: what it does now and how far it is.

    change: "joins" or "leaves" where the task changes who belongs to the cluster;
    away: why the task goes on without it.
    """

    name: str
    address: str
    is_lab: bool
    progress: Progress
    now: str  # the title of the step that runs or failed
    change: str = ""
    away: str = ""


@dataclass(frozen=True)
class Tier:
    """Machines of one role."""

    role: str
    nodes: tuple[NodeView, ...]


@dataclass(frozen=True)
class TaskPage:
    """Everything under the header of a task's page."""

    phases: tuple[PhaseView, ...]
    hosts: tuple[str, ...]  # the grid's columns; "" is the console
    tiers: tuple[Tier, ...]
    progress: Progress
    now: str
    steps: tuple[tuple[str, str], ...] = field(default=())  # (id, title) for the log's filter


def page_of(task: Task, steps: Sequence[TaskStep], hosts: Iterable[Host]) -> TaskPage:
    """The page of a task with its steps in order and the hosts that they name."""
    known = {host.name: host for host in hosts}
    columns = _columns(steps)
    phases = _phases(task, steps, columns)
    current = next((s for s in steps if s.status == StepStatus.RUNNING), None)
    return TaskPage(
        phases=phases,
        hosts=columns,
        tiers=_tiers(task, steps, columns, known),
        progress=_task_progress(task, steps, phases),
        now=current.title if current else "",
        steps=tuple({s.step: s.title for s in steps}.items()),
    )


def progress_of(task: Task, steps: Sequence[TaskStep]) -> Progress:
    """Status, done of total and times of some steps of a task."""
    started = min((s.started for s in steps if s.started), default=None)
    ended = max((s.ended for s in steps if s.ended), default=None)
    status = _word(task, steps)
    still = status in (StepStatus.RUNNING, StepStatus.PENDING)
    elapsed = (ended - started).total_seconds() if started and ended and not still else None
    return Progress(
        status=status,
        done=sum(s.status in DONE for s in steps),
        total=len(steps),
        expected=_slowest_host(steps),
        started=started if status != StepStatus.PENDING else None,
        elapsed=elapsed,
    )


def _word(task: Task, steps: Sequence[TaskStep]) -> str:
    found = {s.status for s in steps}
    for word in (StepStatus.FAILED, StepStatus.RUNNING, StepStatus.CANCELED):
        if word in found:
            return word
    if found <= set(DONE):
        quiet = found <= {StepStatus.UNCHANGED, StepStatus.SKIPPED}
        return StepStatus.UNCHANGED if quiet and found else StepStatus.CHANGED
    # Some done and some waiting: it goes on, unless the task has stopped.
    begun = found & set(DONE) and task.status == TaskStatus.RUNNING
    return StepStatus.RUNNING if begun else StepStatus.PENDING


def _slowest_host(steps: Sequence[TaskStep]) -> float | None:
    """Expected seconds: hosts work side by side, so the slowest of them counts."""
    sums: dict[str, float] = {}
    for step in steps:
        if step.expected_seconds is not None:
            sums[step.host_name] = sums.get(step.host_name, 0.0) + step.expected_seconds
    return max(sums.values(), default=None)


def _task_progress(task: Task, steps: Sequence[TaskStep], phases: Sequence[PhaseView]) -> Progress:
    expected = [p.progress.expected for p in phases if p.progress.expected is not None]
    elapsed = None
    if task.started and task.ended:
        elapsed = (task.ended - task.started).total_seconds()
    return Progress(
        status=task.status,
        done=sum(s.status in DONE for s in steps),
        total=len(steps),
        expected=sum(expected) if expected else None,
        started=task.started,
        elapsed=elapsed,
    )


def _columns(steps: Iterable[TaskStep]) -> tuple[str, ...]:
    """Hosts in the order of their first step; the console last."""
    names = list(dict.fromkeys(s.host_name for s in steps))
    return tuple(sorted(names, key=lambda name: name == ""))


def _phases(task: Task, steps: Sequence[TaskStep], columns: Sequence[str]) -> tuple[PhaseView, ...]:
    groups: dict[str, list[TaskStep]] = {}
    for step in steps:
        groups.setdefault(step.phase, []).append(step)
    many = len(steps) > MANY_CELLS
    views = []
    for phase, group in groups.items():
        progress = progress_of(task, group)
        quiet = progress.status not in (StepStatus.RUNNING, StepStatus.FAILED)
        views.append(
            PhaseView(
                id=phase,
                title=group[0].phase_title,
                progress=progress,
                rows=_rows(group, columns),
                folded=many and quiet,
                notes=_notes(group),
            )
        )
    return tuple(views)


def _notes(group: Iterable[TaskStep]) -> tuple[tuple[str, str], ...]:
    waiting = (s for s in group if s.status == StepStatus.RUNNING and s.note.strip())
    return tuple((s.host_name, s.note.strip().splitlines()[-1]) for s in waiting)


def _rows(group: Sequence[TaskStep], columns: Sequence[str]) -> tuple[StepRow, ...]:
    rows: dict[str, dict[str, TaskStep]] = {}
    titles: dict[str, str] = {}
    for step in group:
        rows.setdefault(step.step, {})[step.host_name] = step
        titles.setdefault(step.step, step.title)
    return tuple(
        StepRow(step=key, title=titles[key], cells=tuple(cells.get(name) for name in columns))
        for key, cells in rows.items()
    )


def _tiers(
    task: Task, steps: Sequence[TaskStep], columns: Sequence[str], known: dict[str, Host]
) -> tuple[Tier, ...]:
    """The machines by role: from the hosts' rows, or from what the task was asked to do."""
    asked, changes = _asked(task)
    tiers: dict[str, list[NodeView]] = {}
    for name in columns:
        if not name:
            continue
        host = known.get(name)
        mine = [s for s in steps if s.host_name == name]
        now = [s for s in mine if s.status in (StepStatus.RUNNING, StepStatus.FAILED)]
        role = asked.get(host.pk, host.cluster_role) if host else ""
        tiers.setdefault(role, []).append(
            NodeView(
                name=name,
                address=host.address if host else "",
                is_lab=bool(host and host.is_lab),
                progress=progress_of(task, mine),
                now=now[0].title if now else "",
                change=changes.get(host.pk, "") if host else "",
                away=next((str(s.failure["found"]) for s in mine if _is_away(s)), ""),
            )
        )
    order = (ClusterRole.CONTROL_PLANE, ClusterRole.WORKER, ClusterRole.NONE)
    return tuple(Tier(role=role, nodes=tuple(tiers[role])) for role in order if role in tiers)


def _is_away(step: TaskStep) -> bool:
    return step.status == StepStatus.SKIPPED and step.failure.get("code") == AWAY


def _asked(task: Task) -> tuple[dict[int, str], dict[int, str]]:
    """By host id: the role that the task's parameters give, and whether it joins or leaves.

    A host that has left keeps the place that it had in this task's picture.
    """
    roles: dict[int, str] = {}
    changes: dict[int, str] = {}
    for change, key in (("joins", "joining"), ("leaves", "leaving")):
        for place in task.parameters.get(key) or ():
            first = place["control_plane"]
            roles[place["id"]] = ClusterRole.CONTROL_PLANE if first else ClusterRole.WORKER
            changes[place["id"]] = change
    return roles, changes
