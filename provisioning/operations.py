"""What tasks can do: the registry of operations, and how one is launched, stopped and retried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import Cluster
from console.accounts.models import User
from console.audit.record import record
from provisioning import logs
from provisioning.journal import PlannedStep, lay_out
from provisioning.models import StepStatus, Task, TaskStatus, TaskStep

if TYPE_CHECKING:
    from provisioning.run import TaskRun
    from provisioning.steps.base import Problem


class Refused(Exception):
    """Something may not be done: the problems, each with its field, cause and mend."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(f"{p.what} {p.mend}" for p in problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Operation:
    """One kind of task.

    run does the work; rows lays out its journal when it is launched; on_end is
    called in the transaction that ends the task, on_retry in the one that
    queues it again. personal: it acts inside clusters in the name of who launched it.
    """

    id: str
    title: str
    run: Callable[[TaskRun], None]
    rows: Callable[[Task], Iterable[PlannedStep]]
    queue: str = "default"
    on_end: Callable[[Task], None] | None = None
    on_retry: Callable[[Task], None] | None = None
    personal: bool = False


OPERATIONS: dict[str, Operation] = {}


def register(operation: Operation) -> None:
    """Add a kind of task. Raises ValueError for an id that is taken."""
    if operation.id in OPERATIONS:
        raise ValueError(f"operation {operation.id} is registered twice")
    OPERATIONS[operation.id] = operation


def operation(
    id: str,
    *,
    title: str,
    steps: Sequence[tuple[str, str]],
    queue: str = "default",
    on_end: Callable[[Task], None] | None = None,
    personal: bool = False,
) -> Callable[[Callable[[TaskRun], None]], Callable[[TaskRun], None]]:
    """Register a function as an operation whose steps all run on the console's machine."""

    def rows(_task: Task) -> list[PlannedStep]:
        return [PlannedStep("run", title, step, step_title) for step, step_title in steps]

    def mark(run: Callable[[TaskRun], None]) -> Callable[[TaskRun], None]:
        register(Operation(id, title, run, rows, queue, on_end, personal=personal))
        return run

    return mark


def launch(
    operation: str,
    *,
    title: str,
    user: User | None,
    parameters: Mapping[str, Any] | None = None,
    cluster: Cluster | None = None,
    request: HttpRequest | None = None,
    queue: str = "",
) -> Task:
    """Queue a task with its journal and its audit event, in one transaction.

    parameters must hold no secret; queue: which workers may take it ("": those
    of the operation). Raises KeyError for an unknown operation.
    """
    kind = OPERATIONS[operation]
    with transaction.atomic():
        task = Task.objects.create(
            operation=operation,
            title=title,
            queue=queue or kind.queue,
            cluster=cluster,
            cluster_name=cluster.name if cluster else "",
            parameters=dict(parameters or {}),
            created_by=user,
            request_id=getattr(request, "request_id", ""),
        )
        lay_out(task, kind.rows(task))
        record("task.launched", task, request=request, actor=user, after={"operation": operation})
    return task


def cancel(task: Task, user: User | None, request: HttpRequest | None = None) -> bool:
    """Ask for a task to stop; one that nobody has taken yet ends at once.

    False when it had ended already.
    """
    with transaction.atomic():
        now = timezone.now()
        waiting = Task.objects.filter(pk=task.pk, status=TaskStatus.QUEUED)
        if waiting.update(status=TaskStatus.CANCELED, ended=now, cancel_requested=now):
            TaskStep.objects.filter(task=task, status=StepStatus.PENDING).update(
                status=StepStatus.CANCELED
            )
            logs.append(task, [_("Canceled before it began.")])
            task.refresh_from_db()
            kind = OPERATIONS.get(task.operation)
            if kind is not None and kind.on_end is not None:
                kind.on_end(task)
        elif not Task.objects.filter(pk=task.pk, status=TaskStatus.RUNNING).update(
            cancel_requested=now
        ):
            return False
        record("task.canceled", task, request=request, actor=user)
    task.refresh_from_db()
    return True


def may_retry(task: Task, user: User | None) -> bool:
    """Whether it is theirs to retry: nobody makes a task act once more in another's name."""
    kind = OPERATIONS.get(task.operation)
    return kind is None or not kind.personal or (user is not None and user.pk == task.created_by_id)


def retry(task: Task, user: User | None, request: HttpRequest | None = None) -> bool:
    """Queue an ended task again; it goes on at what is not done yet.

    False when it is not one that failed or was canceled, when its cluster has
    another task that is not ended, or when it acts in somebody else's name.
    """
    if not may_retry(task, user):
        return False
    with transaction.atomic():
        if task.cluster_id and _busy(task.cluster_id, but=task.pk):
            return False
        again = Task.objects.filter(
            pk=task.pk,
            status__in=(TaskStatus.FAILED, TaskStatus.ERROR, TaskStatus.CANCELED),
        )
        if not again.update(
            status=TaskStatus.QUEUED,
            ended=None,
            cancel_requested=None,
            failure={},
            lease_until=None,
            worker="",
            fence=F("fence"),
            # What it does from now on, the retry has caused.
            request_id=getattr(request, "request_id", "") or task.request_id,
        ):
            return False
        task.refresh_from_db()
        kind = OPERATIONS.get(task.operation)
        if kind is not None and kind.on_retry is not None:
            kind.on_retry(task)
        TaskStep.objects.filter(
            task=task,
            status__in=(StepStatus.FAILED, StepStatus.CANCELED, StepStatus.RUNNING),
        ).update(status=StepStatus.PENDING, started=None, ended=None, failure={})
        record("task.retried", task, request=request, actor=user)
    task.refresh_from_db()
    return True


def _busy(cluster_id: int, but: int = 0) -> bool:
    return (
        Task.objects.filter(
            cluster_id=cluster_id, status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING)
        )
        .exclude(pk=but)
        .exists()
    )


def busy(cluster: Cluster) -> bool:
    """Whether a task of this cluster is waiting or running: the next one has to wait."""
    return _busy(cluster.pk)
