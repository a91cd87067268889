"""Runs a recipe: phases in order, in each phase every host through its steps, hosts in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from provisioning.facts import Facts
from provisioning.host_runner import HostRunner, Outcome, new_nonce
from provisioning.journal import DONE, PlannedStep
from provisioning.lease import LeaseLost
from provisioning.material import ClusterMaterial
from provisioning.models import Host, HostChange, StepStatus, TaskStep
from provisioning.recipes.delete import DELETE
from provisioning.run import Canceled, Failure, HandedOver, TaskRun, unexpected
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import ConsoleStep, Context, Phase, Placed, Recipe, Step
from provisioning.steps.compile import CompiledScript, compile_script
from provisioning.steps.undo import UndoStep

LOOKS = ("preflight", "after")  # phases that only read
FACTS_STEP = "facts"
CHECK_STEP = "check"


def planned_steps(recipe: Recipe, spec: ClusterSpec) -> list[PlannedStep]:
    """The journal's rows of a recipe: the preflight, then each phase's steps on each host."""
    title = _("Preflight")
    rows = [
        PlannedStep("preflight", title, FACTS_STEP, _("Look at the host"), h.id, h.name)
        for h in spec.hosts
    ]
    rows.append(PlannedStep("preflight", title, CHECK_STEP, _("Check what was found")))
    for phase in recipe.phases(spec):
        for placed in phase.placed:
            hosts: Iterable[HostSpec | None] = placed.hosts or (None,)
            rows += [
                PlannedStep(
                    phase.id,
                    phase.title,
                    placed.step.id,
                    placed.step.title,
                    host.id if host else None,
                    host.name if host else "",
                )
                for host in hosts
            ]
    # What is now known of the hosts is what the next plan is made from.
    title = _("Look at the host again")
    rows += [
        PlannedStep("after", _("Afterwards"), FACTS_STEP, title, h.id, h.name) for h in spec.hosts
    ]
    return rows


class RecipeRun:
    """One run of a recipe for a task. run() raises what ends it."""

    def __init__(self, run: TaskRun, recipe: Recipe, spec: ClusterSpec) -> None:
        if run.task.cluster is None:
            raise Failure(found=_("The cluster of this task is gone."), code="cluster")
        self.run, self.recipe, self.spec = run, recipe, spec
        self.material = ClusterMaterial(run.task.cluster, run.lease)
        self.facts: dict[int, Facts] = {}
        uploads = threading.Semaphore(settings.TASK_PARALLEL_UPLOADS)
        hosts = Host.objects.select_related("credential", "jump__credential").in_bulk(
            [h.id for h in spec.hosts]
        )
        self.runners = {id: HostRunner(run, host, uploads) for id, host in hosts.items()}
        self.rows = {(r.phase, r.step, r.host_id): r for r in run.journal.steps()}
        self.untouched = self._untouched()

    def execute(self) -> None:
        """Run every phase. Raises Failure, Canceled, HandedOver or LeaseLost."""
        try:
            self._preflight()
            for stretch in stretches(self.recipe.phases(self.spec)):
                self.run.check_canceled()
                self._stretch(stretch)
            self._look("after")
        finally:
            for runner in self.runners.values():
                runner.close()

    def _look(self, phase: str) -> None:
        def look(host: HostSpec) -> None:
            if host.id in self.untouched:
                self._skip(self.rows[phase, FACTS_STEP, host.id])
                return
            with self._journaled(self.rows[phase, FACTS_STEP, host.id]):
                self.facts[host.id] = self.runners[host.id].facts()

        self._on_hosts(self.spec.hosts, look)

    def _untouched(self) -> set[int]:
        """Hosts that no task of this cluster has begun to change: a deletion leaves them alone.

        They may be away for good, or hold a Kubernetes that is not ours.
        """
        if self.recipe.id != DELETE.id:
            return set()
        begun = TaskStep.objects.filter(task__cluster=self.run.task.cluster, attempt__gt=0)
        begun = begun.exclude(task=self.run.task.pk).exclude(phase__in=LOOKS)
        return {h.id for h in self.spec.hosts} - set(begun.values_list("host_id", flat=True))

    def _skip(self, row: TaskStep) -> None:
        text = _("Nothing was ever changed on this host for this cluster.")
        self.run.log(text, host=row.host_name, step=row.step)
        self.run.journal.end(row, StepStatus.SKIPPED)

    def _preflight(self) -> None:
        """Facts are read in every attempt: they are what later steps decide by."""
        self._look("preflight")
        row = self.rows["preflight", CHECK_STEP, None]
        with self._journaled(row):
            problems = self.recipe.preflight(self.spec, self.facts)
            names = {h.id: h.name for h in self.spec.hosts}
            for problem in problems:
                self.run.log(
                    f"✗ {problem.what} {problem.mend}",
                    host=names.get(problem.host, ""),
                    step=CHECK_STEP,
                )
            if problems:
                first = problems[0]
                raise Failure(
                    host=names.get(first.host, ""),
                    code=first.code,
                    found=" ".join(p.what for p in problems),
                    hint=" ".join(dict.fromkeys(p.mend for p in problems)),
                    expected=_("Hosts that fit; nothing has been changed yet."),
                )

    def _stretch(self, stretch: list[Part]) -> None:
        phase, placed = stretch[0]
        if isinstance(placed.step, ConsoleStep):
            self._console_step(phase, placed.step)
            return
        hosts = list(dict.fromkeys(h for _phase, part in stretch for h in part.hosts))

        def work(host: HostSpec) -> None:
            self._host_steps([part for part in stretch if host in part[1].hosts], host)

        if phase.rolling:
            for host in hosts:
                self._on_hosts([host], work)
        else:
            self._on_hosts(hosts, work)

    def _host_steps(self, parts: list[Part], host: HostSpec) -> None:
        for phase, placed in parts:
            step = placed.step
            row = self.rows[phase.id, step.id, host.id]
            if row.status in DONE or not isinstance(step, Step):
                continue
            self.run.check_canceled()
            if host.id in self.untouched:
                self._skip(row)
                continue
            with self._journaled(row) as outcome:
                nonce = new_nonce()
                compiled = self._compile(step, host, nonce)
                done = self.runners[host.id].script(compiled, nonce, step.id, step.timeout)
                outcome.changes, outcome.priors = done.changes, done.priors

    def _compile(self, step: Step, host: HostSpec, nonce: str) -> CompiledScript:
        ctx = Context(self.spec, host, self.facts, self.material)
        if isinstance(step, UndoStep):
            records = HostChange.objects.filter(cluster_id=self.spec.id, host_id=host.id)
            return step.compile(ctx, list(records.values_list("record", flat=True)), nonce)
        return compile_script(step.resources(ctx), nonce, self.spec.id)

    def _console_step(self, phase: Phase, step: ConsoleStep) -> None:
        row = self.rows[phase.id, step.id, None]
        if row.status in DONE:
            return
        self.run.check_canceled()
        with self._journaled(row) as outcome:
            ctx = Context(self.spec, None, self.facts, self.material)
            changed = step.run(ctx, lambda text: self.run.log(text, step=step.id))
            outcome.changes = int(changed)

    def _journaled(self, row: TaskStep) -> _Journaled:
        return _Journaled(self.run, row, self.spec.id)

    def _on_hosts(self, hosts: Iterable[HostSpec], work: Callable[[HostSpec], None]) -> None:
        """Do the work on each host in parallel; when all have ended raise what went wrong."""
        hosts = list(hosts)

        def guarded(host: HostSpec) -> Exception | None:
            try:
                work(host)
            except (Failure, Canceled, HandedOver, LeaseLost) as error:
                return error
            except Exception as error:
                return unexpected(error, host=host.name)
            finally:
                connection.close()
            return None

        if not hosts:
            return
        with ThreadPoolExecutor(min(len(hosts), settings.TASK_PARALLEL_HOSTS)) as pool:
            errors = [e for e in pool.map(guarded, hosts) if e is not None]
        # Losing the task outweighs being canceled, and that outweighs a failure.
        for kind in (LeaseLost, Canceled, Failure, HandedOver):
            for error in errors:
                if isinstance(error, kind):
                    raise error


Part = tuple[Phase, Placed]


def stretches(phases: Iterable[Phase]) -> list[list[Part]]:
    """What runs without a barrier: steps that each host goes through at its own pace.

    A new stretch begins with a phase that does not follow on, with a console
    step, which stands alone, after one, and around a rolling phase.
    """
    found: list[list[Part]] = []
    joined = False
    for phase in phases:
        joined = joined and phase.follows and not phase.rolling
        for placed in phase.placed:
            alone = isinstance(placed.step, ConsoleStep)
            if joined and not alone:
                found[-1].append((phase, placed))
            else:
                found.append([(phase, placed)])
            joined = not alone
        joined = joined and not phase.rolling
    return found


class _Journaled:
    """One step's row around its work: running before, its end after, with what it found."""

    def __init__(self, run: TaskRun, row: TaskStep, cluster_id: int) -> None:
        self.run, self.row, self.cluster_id = run, row, cluster_id
        self.outcome = Outcome()

    def __enter__(self) -> Outcome:
        self.run.journal.begin(self.row)
        self.run.log(f"▶ {self.row.title}", host=self.row.host_name, step=self.row.step)
        return self.outcome

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (LeaseLost, HandedOver)):
            return
        if isinstance(error, Canceled):
            self._end(StepStatus.CANCELED)
            return
        if isinstance(error, Exception):
            failure = error
            if not isinstance(failure, Failure):
                failure = unexpected(error, host=self.row.host_name)
            failure.step = failure.step or self.row.title
            self.run.log(f"✗ {failure}", host=self.row.host_name, step=self.row.step)
            self._end(StepStatus.FAILED, failure)
            return
        if error is None:
            changed = StepStatus.CHANGED if self.outcome.changes else StepStatus.UNCHANGED
            self._end(changed)

    def _end(self, status: StepStatus, failure: Failure | None = None) -> None:
        self.run.journal.end(
            self.row,
            status,
            changes=self.outcome.changes,
            failure=failure.as_json() if failure else None,
            priors=self.outcome.priors,
            cluster_id=self.cluster_id,
        )
        self.row.status = status
