"""The journal of a task: a row for each step and host, written before and after the effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.utils import timezone

from provisioning.lease import Lease
from provisioning.models import HostChange, StepStatus, Task, TaskStep

DONE = (StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED)
LEARN_FROM = 20  # how many earlier runs of a step the expected duration is learnt from


@dataclass(frozen=True)
class PlannedStep:
    """One row to be: where it stands in the plan, and the host (id and name; None: console)."""

    phase: str
    phase_title: str
    step: str
    title: str
    host_id: int | None = None
    host_name: str = ""


def lay_out(task: Task, planned: Iterable[PlannedStep]) -> None:
    """Write the rows of a new task, with the durations learnt from earlier runs."""
    planned = list(planned)
    expected = learned_seconds({p.step for p in planned})
    TaskStep.objects.bulk_create(
        TaskStep(
            task=task,
            position=position,
            phase=p.phase,
            phase_title=p.phase_title,
            step=p.step,
            title=p.title,
            host_id=p.host_id,
            host_name=p.host_name,
            expected_seconds=expected.get(p.step),
        )
        for position, p in enumerate(planned)
    )


def learned_seconds(steps: Iterable[str]) -> dict[str, float]:
    """Mean seconds of the last runs of each step that changed something."""
    learned: dict[str, float] = {}
    for step in steps:
        rows = (
            TaskStep.objects.filter(
                step=step, status=StepStatus.CHANGED, started__isnull=False, ended__isnull=False
            )
            .order_by("-id")
            .values_list("started", "ended")[:LEARN_FROM]
        )
        seconds = [(e - s).total_seconds() for s, e in rows if s is not None and e is not None]
        if seconds:
            learned[step] = sum(seconds) / len(seconds)
    return learned


class Journal:
    """Fenced writes of a task's steps. Every method raises LeaseLost once the task is lost."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def steps(self) -> list[TaskStep]:
        """All rows in order."""
        return list(TaskStep.objects.filter(task_id=self._lease.task_id).order_by("position"))

    def begin(self, row: TaskStep) -> None:
        """The step is about to touch its host."""
        self._update(
            [row.pk],
            status=StepStatus.RUNNING,
            started=timezone.now(),
            ended=None,
            attempt=F("attempt") + 1,
            failure={},
            note="",
        )

    def note(self, row: TaskStep, text: str) -> None:
        """What a running step waits for, a line each ("": nothing any more)."""
        self._update([row.pk], note=text)

    def end(
        self,
        row: TaskStep,
        status: StepStatus,
        changes: int = 0,
        failure: Mapping[str, Any] | None = None,
        priors: Iterable[tuple[str, Mapping[str, Any]]] = (),
        cluster_id: int | None = None,
        host_id: int | None = None,
    ) -> None:
        """The step has ended; what it found before its changes is kept in the same transaction.

        host_id: the host that it ran on, where the row itself names none.
        """
        host_id = row.host_id or host_id
        with self._lease.write():
            if cluster_id is not None and host_id is not None:
                HostChange.objects.bulk_create(
                    [
                        HostChange(
                            cluster_id=cluster_id,
                            host_id=host_id,
                            task_id=self._lease.task_id,
                            key=key[:300],
                            record=dict(record),
                        )
                        for key, record in priors
                    ],
                    ignore_conflicts=True,
                )
            TaskStep.objects.filter(pk=row.pk).update(
                status=status,
                ended=timezone.now(),
                changes=changes,
                failure=dict(failure or {}),
                note="",
            )

    def settle(self, status: StepStatus, *, only: Iterable[StepStatus]) -> None:
        """Give every row that still has one of these states another one."""
        with self._lease.write():
            TaskStep.objects.filter(task_id=self._lease.task_id, status__in=list(only)).update(
                status=status, ended=timezone.now(), note=""
            )

    def _update(self, ids: list[int], **values: Any) -> None:
        with self._lease.write():
            TaskStep.objects.filter(pk__in=ids).update(**values)
