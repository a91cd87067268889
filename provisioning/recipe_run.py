"""Runs a recipe: phases in order, in each phase every host through its steps, hosts in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from console.audit.cause import carried
from provisioning.actions import ACTIONS, ActionContext
from provisioning.facts import Facts
from provisioning.host_runner import HostRunner, Outcome, new_nonce
from provisioning.journal import DONE
from provisioning.lease import LeaseLost
from provisioning.material import ClusterMaterial
from provisioning.models import Host, HostChange, StepStatus, TaskStep
from provisioning.recipe_rows import (
    CHECK_STEP,
    FACTS_STEP,
    LOOKS,
    Key,
    Part,
    rows_by_key,
    stretches,
)
from provisioning.recipes.delete import DELETE
from provisioning.run import Canceled, Failure, HandedOver, TaskRun, unexpected
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Action, ConsoleStep, Context, Phase, Placed, Recipe, Step
from provisioning.steps.compile import CompiledScript, compile_script
from provisioning.steps.undo import UndoStep

# Failures after which a host that is not needed is left out instead.
AWAY_CODES = ("unreachable", "key_changed", "jump", "other_machine")
AWAY = "away"


class RecipeRun:
    """One run of a recipe for a task. run() raises what ends it.

    Hosts that the spec calls expendable are left out when they cannot be
    reached: their rows are skipped with the reason, and stay so when the task
    is retried, because the others have gone on without them.
    """

    def __init__(self, run: TaskRun, recipe: Recipe, spec: ClusterSpec) -> None:
        if run.task.cluster is None:
            raise Failure(found=_("The cluster of this task is gone."), code="cluster")
        self.run, self.recipe, self.spec = run, recipe, spec
        self.cluster = run.task.cluster
        self.material = ClusterMaterial(self.cluster, run.lease)
        self.facts: dict[int, Facts] = {}
        self.uploads = threading.Semaphore(settings.TASK_PARALLEL_UPLOADS)
        hosts = Host.objects.select_related("credential", "jump__credential").in_bulk(
            [h.id for h in spec.touched]
        )
        self.runners = {id: HostRunner(run, host, self.uploads) for id, host in hosts.items()}
        self.rows = rows_by_key(recipe, spec, run.journal.steps())
        self.untouched = self._untouched()
        self.away = {
            row.host_id: str(row.failure["found"])
            for row in self.rows.values()
            if row.host_id and row.failure.get("code") == AWAY
        }

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
            row = self.rows[Key(phase, FACTS_STEP, host.id)]
            if self._left_out(row, host):
                return
            with self._journaled(row, host):
                founding = phase == "preflight" and not self.spec.running
                ask = self.spec.vip if founding else ""
                vip = ask if host in self.spec.control_plane else ""
                self.facts[host.id] = self.runners[host.id].facts(vip)
                if phase == "preflight":
                    self._refuse_another_machine(host)

        self._on_hosts(self.spec.touched, look)

    def _refuse_another_machine(self, host: HostSpec) -> None:
        """What is undone by the console's records is undone on the machine that they are about.

        Another one at the same address (with a key that was copied, or that somebody has
        trusted) has nothing of the cluster, and files of its own at the same places.
        """
        if self.recipe.id != DELETE.id and host not in self.spec.leaving:
            return
        facts, then = self.facts[host.id], self.material.get(_machine(host), "")
        if not then or facts.machine_id == then or self.spec.id in facts.clusters:
            return
        raise Failure(
            host=host.name,
            code="other_machine",
            expected=_("The machine that joined the cluster (machine id %(id)s).") % {"id": then},
            found=_("%(host)s is another machine now (machine id %(id)s): nothing is undone on it.")
            % {"host": host.name, "id": facts.machine_id or "?"},
            hint=_("Bring the machine back to its address, or forget its clean-up."),
        )

    def _note_machines(self) -> None:
        """Keep which machine is behind each host: its address and its key may move to another."""
        if self.recipe.id == DELETE.id:
            return
        for host in self.spec.hosts:
            facts = self.facts.get(host.id)
            if facts is not None and facts.machine_id and host.id not in self.away:
                self.material[_machine(host)] = facts.machine_id

    def _untouched(self) -> set[int]:
        """Hosts that no task of this cluster has begun to change: a deletion leaves them alone.

        They may be away for good, or hold a Kubernetes that is not ours.
        """
        if self.recipe.id != DELETE.id:
            return set()
        begun = TaskStep.objects.filter(task__cluster=self.run.task.cluster, attempt__gt=0)
        begun = begun.exclude(task=self.run.task.pk).exclude(phase__in=LOOKS)
        return {h.id for h in self.spec.touched} - set(begun.values_list("host_id", flat=True))

    def _left_out(self, row: TaskStep, host: HostSpec) -> bool:
        """Skip the row of a host that this run leaves alone."""
        if host.id in self.away:
            self._skip(row, self.away[host.id])
        elif host.id in self.untouched:
            text = _("Nothing was ever changed on this host for this cluster.")
            self.run.log(text, host=host.name, step=row.step)
            self._skip(row)
        else:
            return False
        return True

    def _skip(self, row: TaskStep, away: str = "") -> None:
        if row.status in DONE:
            return
        failure = {"code": AWAY, "host": row.host_name, "found": away} if away else None
        self.run.journal.end(row, StepStatus.SKIPPED, failure=failure)
        row.status = StepStatus.SKIPPED

    def _preflight(self) -> None:
        """Facts are read in every attempt: they are what later steps decide by."""
        self._look("preflight")
        with self._journaled(self.rows[Key("preflight", CHECK_STEP, None)]):
            problems = self.recipe.preflight(self.spec, self.facts)
            problems = [p for p in problems if p.host not in self.away]
            names = {h.id: h.name for h in self.spec.touched}
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
        self._note_machines()

    def _stretch(self, stretch: list[Part]) -> None:
        phase, placed = stretch[0]
        if placed.anywhere:
            self._anywhere(phase, placed)
            return
        if isinstance(placed.step, ConsoleStep):
            self._console_step(phase, placed.step)
            return
        if isinstance(placed.step, Action) and not placed.hosts:
            self._act(phase, placed.step, None)
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
            row = self.rows[Key(phase.id, placed.step.id, host.id)]
            if row.status in DONE:
                continue
            self.run.check_canceled()
            if isinstance(placed.step, Action):
                # About the host, not on it: a node that is away is drained and deleted too.
                self._act(phase, placed.step, host)
            elif self._left_out(row, host):
                continue
            elif isinstance(placed.step, Step):
                self._script(row, placed.step, host)

    def _script(self, row: TaskStep, step: Step, host: HostSpec) -> None:
        with self._journaled(row, host) as outcome:
            nonce = new_nonce()
            compiled = self._compile(step, host, nonce)
            done = self.runners[host.id].script(compiled, nonce, step.id, step.timeout)
            outcome.changes, outcome.priors = done.changes, done.priors

    def _compile(self, step: Step, host: HostSpec, nonce: str) -> CompiledScript:
        ctx = self._context(host)
        if isinstance(step, UndoStep):
            records = HostChange.objects.filter(cluster_id=self.spec.id, host_id=host.id)
            return step.compile(ctx, list(records.values_list("record", flat=True)), nonce)
        return compile_script(step.resources(ctx), nonce, self.spec.id)

    def _context(self, host: HostSpec | None) -> Context:
        return Context(self.spec, host, self.facts, self.material, frozenset(self.away))

    def _anywhere(self, phase: Phase, placed: Placed) -> None:
        """On the first host that answers; the others are not asked."""
        row = self.rows[Key(phase.id, placed.step.id, None)]
        if row.status in DONE:
            return
        reasons = []
        for host in placed.hosts:
            self.run.check_canceled()
            if host.id in self.away:
                reasons.append(self.away[host.id])
                continue
            try:
                self.runners[host.id].link()
            except Failure as failure:
                if failure.code not in AWAY_CODES:
                    raise
                reasons.append(str(failure))
                continue
            if isinstance(placed.step, Action):
                self._act(phase, placed.step, host, row)
            elif isinstance(placed.step, Step):
                self._script(row, placed.step, host)
            return
        with self._journaled(row):
            raise Failure(
                code="unreachable",
                expected=_("One of these hosts answers: %(names)s.")
                % {"names": ", ".join(host.name for host in placed.hosts)},
                found=" ".join(reasons),
                hint=_("Bring one of them back, then retry."),
            )

    def _console_step(self, phase: Phase, step: ConsoleStep) -> None:
        row = self.rows[Key(phase.id, step.id, None)]
        if row.status in DONE:
            return
        self.run.check_canceled()
        with self._journaled(row) as outcome:
            ctx = self._context(None)
            changed = step.run(ctx, lambda text: self.run.log(text, step=step.id))
            outcome.changes = int(changed)

    def _act(
        self, phase: Phase, step: Action, host: HostSpec | None, row: TaskStep | None = None
    ) -> None:
        row = row or self.rows[Key(phase.id, step.id, host.id if host else None)]
        if row.status in DONE:
            return
        self.run.check_canceled()
        with self._journaled(row, host) as outcome:
            here = {id: runner for id, runner in self.runners.items() if id not in self.away}
            outcome.changes = ACTIONS[step.id](
                ActionContext(
                    self.run, self.cluster, self.spec, host, here, self.facts, self.material, row
                )
            )

    def _journaled(self, row: TaskStep, host: HostSpec | None = None) -> _Journaled:
        return _Journaled(self, row, host)

    def leave_out(self, row: TaskStep, host: HostSpec, failure: Failure) -> bool:
        """Whether this failure only means that a host which is not needed is away.

        Then the row is skipped, and so is all that would still come on it.
        """
        if host.id not in self.spec.expendable or failure.code not in AWAY_CODES:
            return False
        self.away[host.id] = failure.found
        text = _("%(found)s It is left out, and can be mended or cleaned up when it is back.")
        self.run.log(text % {"found": failure.found}, host=host.name, step=row.step)
        self._skip(row, failure.found)
        return True

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
            errors = [e for e in pool.map(carried(guarded), hosts) if e is not None]
        # Losing the task outweighs being canceled, and that outweighs a failure.
        for kind in (LeaseLost, Canceled, Failure, HandedOver):
            for error in errors:
                if isinstance(error, kind):
                    raise error


def _machine(host: HostSpec) -> str:
    """The name in the cluster's material under which a host's machine id is kept."""
    return f"hosts/{host.id}/machine-id"


class _Journaled:
    """One step's row around its work: running before, its end after, with what it found."""

    def __init__(self, recipe_run: RecipeRun, row: TaskStep, host: HostSpec | None) -> None:
        self.recipe_run, self.row, self.host = recipe_run, row, host
        self.run = recipe_run.run
        self.where = host.name if host else row.host_name
        self.outcome = Outcome()

    def __enter__(self) -> Outcome:
        self.run.journal.begin(self.row)
        self.run.log(f"▶ {self.row.title}", host=self.where, step=self.row.step)
        return self.outcome

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            changed = self.outcome.changes
            self._end(StepStatus.CHANGED if changed else StepStatus.UNCHANGED)
        elif isinstance(error, Canceled):
            self._end(StepStatus.CANCELED)
        elif isinstance(error, Exception) and not isinstance(error, (LeaseLost, HandedOver)):
            failure = error
            if not isinstance(failure, Failure):
                failure = unexpected(error, host=self.where)
            failure.step = failure.step or self.row.title
            if self.host and self.recipe_run.leave_out(self.row, self.host, failure):
                return True
            self.run.log(f"✗ {failure}", host=self.where, step=self.row.step)
            self._end(StepStatus.FAILED, failure)
        return False

    def _end(self, status: StepStatus, failure: Failure | None = None) -> None:
        self.run.journal.end(
            self.row,
            status,
            changes=self.outcome.changes,
            failure=failure.as_json() if failure else None,
            priors=self.outcome.priors,
            cluster_id=self.recipe_run.spec.id,
            host_id=self.host.id if self.host else None,
        )
        self.row.status = status
