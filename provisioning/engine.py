"""Runs one claimed task to its end, whatever happens on the way.

The function of the operation does the work; this module sees to it that the
task's row, its log and its journal say the truth afterwards: succeeded, failed
(it ran and did not succeed), error (it could not run), canceled, or still
running because another worker has taken it over.
"""

from __future__ import annotations

import logging

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit.cause import caused_by
from console.audit.record import record
from provisioning import notices
from provisioning.lease import Lease, LeaseLost
from provisioning.models import StepStatus, Task, TaskStatus
from provisioning.operations import OPERATIONS, Operation
from provisioning.run import Canceled, Failure, HandedOver, TaskRun, unexpected

logger = logging.getLogger(__name__)


def run_task(task: Task, lease: Lease) -> None:
    """Run a task that this process has claimed. Returns when it has ended or was lost.

    What it does is done for the request that launched it, or retried it last.
    """
    with caused_by(task.request_id):
        _run_to_its_end(task, lease)


def _run_to_its_end(task: Task, lease: Lease) -> None:
    lease.start()
    run = TaskRun(task, lease)
    try:
        kind = OPERATIONS.get(task.operation)
        if kind is None:
            _unknown(run)
        else:
            _run(run, kind)
    except LeaseLost:
        logger.warning("task %s was taken over by another worker", task.pk)
    finally:
        run.writer.close()
        lease.end()
        connection.close()


def _run(run: TaskRun, kind: Operation) -> None:
    task = run.task
    if task.attempt > 1:
        run.log(_("Going on with what is not done yet (attempt %d).") % task.attempt)
    failure: Failure | None = None
    status = TaskStatus.SUCCEEDED
    try:
        run.check_canceled()
        kind.run(run)
    except HandedOver:
        _hand_over(run)
        return
    except Canceled:
        status = TaskStatus.CANCELED
        run.log(_("Canceled."))
    except Failure as error:
        status, failure = TaskStatus.FAILED, error
    except LeaseLost:
        raise
    except Exception as error:
        logger.exception("task %s could not run", task.pk)
        status, failure = TaskStatus.ERROR, unexpected(error)
        run.log(f"✗ {failure}")
    _end(run, kind, status, failure)


def _end(run: TaskRun, kind: Operation, status: TaskStatus, failure: Failure | None) -> None:
    run.log(str(status.label))
    run.writer.flush()
    if status != TaskStatus.SUCCEEDED:
        left = StepStatus.CANCELED if status == TaskStatus.CANCELED else StepStatus.PENDING
        run.journal.settle(left, only=(StepStatus.RUNNING,))
    with run.lease.write():
        run.lease.rows().update(
            status=status,
            ended=timezone.now(),
            failure=failure.as_json() if failure else {},
            lease_until=None,
            worker="",
        )
        run.task.refresh_from_db()
        record(
            "task.ended",
            run.task,
            actor=run.task.created_by,
            outcome="success" if status == TaskStatus.SUCCEEDED else "failure",
            reason=str(failure or ""),
            after={"status": str(status)},
        )
        notices.task_ended(run.task)
        if kind.on_end is not None:
            kind.on_end(run.task)


def _hand_over(run: TaskRun) -> None:
    run.log(_("This worker was asked to stop; another one goes on."))
    run.writer.flush()
    with run.lease.write():
        run.lease.rows().update(lease_until=None, worker="")


def _unknown(run: TaskRun) -> None:
    failure = Failure(
        found=_("This worker does not know the operation “%s”.") % run.task.operation,
        hint=_("It was made by another version of the console: upgrade the worker and retry."),
        code="operation",
    )
    run.log(f"✗ {failure}")
    run.writer.flush()
    with run.lease.write():
        run.lease.rows().update(
            status=TaskStatus.ERROR, ended=timezone.now(), failure=failure.as_json()
        )
        run.task.refresh_from_db()
        notices.task_ended(run.task)
