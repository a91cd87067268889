"""The lab's work as tasks of the console: base tree, Kubernetes binaries, hosts.

They need root on this machine, so they have a queue of their own, `lab`, which only the worker
that `make demo` starts as root takes. Each can be killed at any instant and run again: what is
costly lies in the cache, whole or not at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console.setup.identity import Identity, give
from lab import base, first_tasks, kubernetes, requirements
from lab.errors import LabError, Output
from provisioning.models import Host, TaskStatus
from provisioning.operations import Refused, launch, operation
from provisioning.run import Failure, TaskRun

CHECK_PATIENCE = 180.0


def listening(run: TaskRun) -> Output:
    """An output that goes into the task's log and stops the work when the task is to stop."""

    def out(line: str) -> None:
        run.check_canceled()
        run.log(line)

    return out


@contextmanager
def told() -> Iterator[None]:
    """The lab's errors as failures of a task."""
    try:
        yield
    except LabError as error:
        raise Failure(found=f"{error.what}: {error.cause}", hint=error.mend, code="lab") from error


def go_on(run: TaskRun) -> None:
    """At the end of a task: launch what waited for it."""
    try:
        first_tasks.advance(run.task.created_by, run.parameters)
    except Refused as refused:
        raise Failure(
            found=_("The first cluster cannot be made: %s")
            % " ".join(problem.what for problem in refused.problems),
            hint=" ".join(problem.mend for problem in refused.problems),
            code="refused",
        ) from refused


@operation(
    "lab_base",
    title=gettext_noop("Prepare this machine for local hosts"),
    steps=[
        ("packages", gettext_noop("Install what this machine lacks")),
        ("base", gettext_noop("Make the hosts' Debian")),
    ],
    queue="lab",
)
def lab_base(run: TaskRun) -> None:
    """The machine's packages and the base tree that every host is an overlay of."""
    out = listening(run)
    with run.step("packages") as row, told():
        if row is not None:
            requirements.install(out)
            requirements.demand()
    # Kubernetes takes longest and needs no more than the packages.
    go_on(run)
    with run.step("base") as row, told():
        if row is not None:
            base.ensure(out)
    go_on(run)


@operation(
    "lab_kubernetes",
    title=gettext_noop("Get Kubernetes for local clusters"),
    steps=[
        ("binaries", gettext_noop("Find or build the Kubernetes programs")),
        ("import", gettext_noop("Import them as a release")),
    ],
    queue="lab",
)
def lab_kubernetes(run: TaskRun) -> None:
    """A release from the binaries of this machine: named, cached, or built from source."""
    out = listening(run)
    with run.step("binaries") as row, told():
        if row is not None:
            run.log(_("A build from source takes about seven minutes on two cores."))
            kubernetes.ensure(out=out)
    with run.step("import") as row, told():
        if row is not None:
            first_tasks.import_release(kubernetes.ensure(out=out), run)
            # This process is root; the files belong to the console's user.
            owner = settings.DATA_DIR.stat()
            give(settings.RELEASES_DIR, Identity(owner.st_uid, owner.st_gid, "", ""))
    go_on(run)


@operation(
    "lab_hosts",
    title=gettext_noop("Boot the local hosts"),
    steps=[
        ("boot", gettext_noop("Boot the hosts")),
        ("register", gettext_noop("Register them in the console")),
        ("check", gettext_noop("Sign in to each and read its facts")),
    ],
    queue="lab",
)
def lab_hosts(run: TaskRun) -> None:
    """The demo's hosts up, known to the console with their host keys, and checked."""
    out = listening(run)
    with told():
        key = first_tasks.console_key(run.task.created_by)
        lab = first_tasks.lab_of(run.parameters, (key,))
    with run.step("boot") as row, told():
        if row is not None:
            lab.up(out)
    with run.step("register") as row, told():
        if row is not None:
            for host in first_tasks.register_hosts(lab, run.task.created_by):
                run.log(_("%(name)s at %(address)s") % {"name": host.name, "address": host.address})
    with run.step("check") as row:
        if row is not None:
            _check(run, list(Host.objects.filter(is_lab=True)))
    go_on(run)


def _check(run: TaskRun, hosts: list[Host]) -> None:
    task = launch(
        "check_hosts",
        title=_("Check the local hosts"),
        user=run.task.created_by,
        parameters={"hosts": [host.pk for host in hosts]},
    )
    run.log(_("Task %d checks them.") % task.pk)

    def ended() -> bool:
        task.refresh_from_db(fields=["status"])
        return task.is_ended

    if not wait_for(ended, CHECK_PATIENCE, run.check_canceled):
        raise Failure(
            found=_("Task %d has not ended.") % task.pk,
            hint=_("See whether the console's worker runs, then retry."),
            code="lab",
        )
    if task.status != TaskStatus.SUCCEEDED:
        raise Failure(
            found=_("The check of the hosts did not succeed."),
            hint=_("Task %d says why; retry this one then.") % task.pk,
            code="lab",
        )


def wait_for(true: Callable[[], bool], seconds: float, check: Callable[[], None]) -> bool:
    """Ask until `true` or the time is over; `check` may raise to stop."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        if time.monotonic() > end:
            return False
        check()
        pause.wait(0.5)
    return True
