"""The operation clean_up_host: what a cluster left on a host that was away goes, later."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console.audit.record import record
from provisioning.cluster_spec import host_spec
from provisioning.facts import Facts
from provisioning.host_runner import HostRunner, Outcome, new_nonce
from provisioning.journal import DONE, PlannedStep
from provisioning.lease import LeaseLost
from provisioning.models import Cleanup, Host, StepStatus, Task, TaskStatus, TaskStep
from provisioning.operations import Operation, register
from provisioning.run import Canceled, Failure, HandedOver, TaskRun, unexpected
from provisioning.spec import ClusterSpec, ReleaseSpec
from provisioning.steps.base import Context
from provisioning.steps.compile import compile_script
from provisioning.steps.undo import RescanStep, UndoStep

OPERATION = "clean_up_host"
FACTS_STEP = "facts"
CLEAN_PHASE = "undo"
UNDO, RESCAN = UndoStep(), RescanStep()


def rows(task: Task) -> Iterable[PlannedStep]:
    """A look, the undo of each clean-up (newest first), the rescan, and a look at the end."""
    host = Host.objects.get(pk=task.parameters["host"])
    yield PlannedStep("preflight", "Preflight", FACTS_STEP, "Look at the host", host.pk, host.name)
    for _number in task.parameters["cleanups"]:
        yield PlannedStep(CLEAN_PHASE, "Clean the hosts", UNDO.id, UNDO.title, host.pk, host.name)
    yield PlannedStep("rescan", "Rescan", RESCAN.id, RESCAN.title, host.pk, host.name)
    again = "Look at the host again"
    yield PlannedStep("after", "Afterwards", FACTS_STEP, again, host.pk, host.name)


def run(run: TaskRun) -> None:
    """Put the host back by the records that were kept. Raises Failure."""
    hosts = Host.objects.select_related("cluster", "credential", "jump__credential")
    host = hosts.filter(pk=run.parameters["host"]).first()
    if host is None:
        raise Failure(
            code="host",
            found=_("The host was removed from the console meanwhile."),
            hint=_("Nothing is left to do here."),
        )
    runner = HostRunner(run, host, threading.Semaphore(settings.TASK_PARALLEL_UPLOADS))
    with closing(runner):
        _CleanUp(run, host, runner).execute()


class _CleanUp:
    """One run of the task: the rows in their order."""

    def __init__(self, run: TaskRun, host: Host, runner: HostRunner) -> None:
        self.run, self.host, self.runner = run, host, runner
        self.rows = run.journal.steps()

    def execute(self) -> None:
        first, *undos, rescan, last = self.rows
        to_do = [
            (row, int(number))
            for row, number in zip(undos, self.run.parameters["cleanups"], strict=True)
            if row.status not in DONE
        ]
        # In every attempt: what is done depends on what is there now.
        with self._journaled(first):
            facts = self.runner.facts()
            self._refuse_what_is_not_ours(facts, {number for _row, number in to_do})
        for row, number in to_do:
            self._undo(row, number, facts)
        if rescan.status not in DONE:
            with self._journaled(rescan):
                self._rescan(rescan, int(self.run.parameters["cleanups"][0]))
        with self._journaled(last):
            self.runner.facts()

    def _refuse_what_is_not_ours(self, facts: Facts, numbers: set[int]) -> None:
        """A machine that was installed anew may hold another Kubernetes: hands off that."""
        if self.host.cluster is not None:
            raise Failure(
                code="host_taken",
                found=_("The host serves the cluster %(name)s now.") % {"name": self.host.cluster},
                hint=_("Forget the clean-up on the host's page."),
            )
        if facts.traces and numbers and not numbers & set(facts.clusters):
            raise Failure(
                code="left_behind",
                expected=_("The cluster's own journal on the host, or nothing of a Kubernetes."),
                found=_("There is a Kubernetes that is not the one of this clean-up: %(traces)s.")
                % {"traces": ", ".join(facts.traces[:5])},
                hint=_(
                    "Nothing was changed. Was the machine installed anew? Then forget the "
                    "clean-up on the host's page."
                ),
            )

    def _undo(self, row: TaskStep, number: int, facts: Facts) -> None:
        kept = Cleanup.objects.filter(host=self.host, cluster_number=number).first()
        if kept is None or number not in facts.clusters:
            text = _("Nothing of this cluster is on the host any more.")
            self.run.log(text, host=self.host.name, step=row.step)
            self.run.journal.end(row, StepStatus.SKIPPED)
            return
        with self._journaled(row) as outcome:
            nonce = new_nonce()
            compiled = UNDO.compile(_context(self.host, number), kept.records, nonce)
            done = self.runner.script(compiled, nonce, UNDO.id, UNDO.timeout)
            outcome.changes = done.changes

    def _rescan(self, row: TaskStep, number: int) -> None:
        nonce = new_nonce()
        compiled = compile_script(RESCAN.resources(_context(self.host, number)), nonce, number)
        self.runner.script(compiled, nonce, row.step, RESCAN.timeout)

    @contextmanager
    def _journaled(self, row: TaskStep) -> Iterator[Outcome]:
        """One row around its work. Raises Failure with the row's step and host."""
        self.run.check_canceled()
        self.run.journal.begin(row)
        self.run.log(f"▶ {row.title}", host=self.host.name, step=row.step)
        outcome = Outcome()
        try:
            yield outcome
        except Canceled:
            self.run.journal.end(row, StepStatus.CANCELED)
            raise
        except (LeaseLost, HandedOver):
            raise
        except Exception as error:
            own = error if isinstance(error, Failure) else unexpected(error, host=self.host.name)
            own.step, own.host = own.step or row.title, own.host or self.host.name
            self.run.log(f"✗ {own}", host=self.host.name, step=row.step)
            self.run.journal.end(row, StepStatus.FAILED, failure=own.as_json())
            if own is error:
                raise
            raise own from error
        status = StepStatus.CHANGED if outcome.changes else StepStatus.UNCHANGED
        self.run.journal.end(row, status, changes=outcome.changes)


def _context(host: Host, number: int) -> Context:
    """All that the undo and the rescan ask for: which cluster's, and where."""
    spec = ClusterSpec(
        id=number,
        name="",
        profile="",
        release=ReleaseSpec("", "", (), "", ""),
        control_plane=(),
        workers=(),
    )
    return Context(spec, host_spec(host, 0), {}, {}, frozenset())


def ended(task: Task) -> None:
    """What was cleaned up is owed no longer."""
    if task.status != TaskStatus.SUCCEEDED:
        return
    host = Host.objects.filter(pk=task.parameters["host"]).first()
    if host is None:
        return
    done = host.cleanups.filter(cluster_number__in=task.parameters["cleanups"])
    names = list(done.values_list("cluster_name", flat=True))
    if not names:  # an older task that was retried after another one had done it
        return
    done.delete()
    record("host.cleaned_up", host, actor=task.created_by, after={"clusters": names})


register(Operation(OPERATION, gettext_noop("Clean up a host"), run, rows, on_end=ended))
