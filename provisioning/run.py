"""A claimed task while it runs: what an operation may do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from provisioning.journal import Journal
from provisioning.lease import Lease, LeaseLost
from provisioning.logs import LogWriter
from provisioning.models import StepStatus, Task, TaskStep

OUTPUT_LINES = 20  # how many last lines of output a failure shows


class Canceled(Exception):
    """A person asked for the task to stop."""


class HandedOver(Exception):
    """This process is asked to end; another worker goes on with the task."""


@dataclass
class Failure(Exception):
    """Why a step did not succeed, in the words that the task page shows.

    expected and found say what should have been true and what was; hint says
    what to do; output holds the last lines that the step printed.
    """

    found: str
    expected: str = ""
    hint: str = ""
    host: str = ""
    step: str = ""
    code: str = ""
    output: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        where = f"{self.host}: " if self.host else ""
        return f"{where}{self.found} {self.hint}".strip()

    def as_json(self) -> dict[str, Any]:
        """The form in which tasks and steps keep it."""
        return {
            "host": self.host,
            "step": self.step,
            "code": self.code,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
            "output": self.output,
        }


class TaskRun:
    """What an operation's function gets: the task, its log, its steps, and when to stop."""

    def __init__(self, task: Task, lease: Lease) -> None:
        self.task = task
        self.lease = lease
        self.journal = Journal(lease)
        self.writer = LogWriter(lease, task.last_seq)
        self.parameters: Mapping[str, Any] = task.parameters
        self._step = ""

    def log(self, text: str, *, host: str = "", step: str = "", stream: str = "console") -> None:
        """Add a line to the task's log (of the current step unless another is named)."""
        self.writer.write(text, host=host, step=step or self._step, stream=stream)

    def check_canceled(self) -> None:
        """Raise Canceled or LeaseLost when the task is to stop."""
        if self.lease.lost.is_set():
            raise LeaseLost
        if self.lease.canceled.is_set():
            raise Canceled
        if self.lease.handing_over.is_set():
            raise HandedOver

    @contextmanager
    def step(self, step: str) -> Iterator[TaskStep | None]:
        """Journal one step of the console itself: running, then changed or failed.

        Yields None when an earlier run has done the step already: skip its body
        then. A Failure raised inside gets the step's name and is passed on.
        """
        self.check_canceled()
        row = next(r for r in self.journal.steps() if r.step == step and r.host_id is None)
        if row.status in (StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED):
            yield None
            return
        self.journal.begin(row)
        self._step = step
        self.log(f"▶ {row.title}")
        try:
            yield row
        except Failure as failure:
            failure.step = failure.step or row.title
            self.log(f"✗ {failure}")
            self.journal.end(row, StepStatus.FAILED, failure=failure.as_json())
            raise
        except (Canceled, LeaseLost, HandedOver):
            raise
        except Exception as error:
            own = unexpected(error, step=row.title)
            self.log(f"✗ {own}")
            self.journal.end(row, StepStatus.FAILED, failure=own.as_json())
            raise own from error
        finally:
            self._step = ""
        self.journal.end(row, StepStatus.CHANGED, changes=1)


def unexpected(error: Exception, *, host: str = "", step: str = "") -> Failure:
    """A Failure for an error of the console's own; the traceback goes to the process's log."""
    return Failure(
        found=_("The console itself failed: %(kind)s: %(error)s")
        % {"kind": type(error).__name__, "error": error},
        hint=_("Retry; if it happens again, report it with the task's number."),
        host=host,
        step=step,
        code="console",
    )
