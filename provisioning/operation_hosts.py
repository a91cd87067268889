"""The operation check_hosts: fingerprint, first contact, facts; many hosts at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console.audit.cause import carried
from console.audit.record import record
from provisioning.host_runner import HostRunner
from provisioning.journal import PlannedStep
from provisioning.lease import LeaseLost
from provisioning.models import Host, HostState, StepStatus, Task, TaskStep
from provisioning.operations import Operation, register
from provisioning.run import Canceled, Failure, HandedOver, TaskRun, unexpected
from provisioning.shell import quote
from provisioning.ssh import connect, offered_key
from provisioning.ssh_types import SSHError, fingerprint
from provisioning.targets import failure_of, note_error, set_state, target_of

STEP = "check_host"
INSTALL_SECONDS = 30


def rows(task: Task) -> Iterable[PlannedStep]:
    """One row for each host named in the parameters."""
    names = dict(Host.objects.filter(pk__in=task.parameters["hosts"]).values_list("id", "name"))
    title = _("Check the host")
    return [PlannedStep("check", title, STEP, title, id, name) for id, name in names.items()]


def run(run: TaskRun) -> None:
    """Check each host; a host that fails does not keep the others from being checked."""
    pending = [r for r in run.journal.steps() if r.status not in _ENDED and r.host_id]
    uploads = threading.Semaphore(settings.TASK_PARALLEL_UPLOADS)

    def guarded(row: TaskStep) -> Exception | None:
        try:
            return _check_row(run, row, uploads)
        except (LeaseLost, Canceled, HandedOver) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(settings.TASK_PARALLEL_HOSTS) as pool:
        errors = [e for e in pool.map(carried(guarded), pending) if e is not None]
    for kind in (LeaseLost, Canceled, HandedOver, Failure):
        for error in errors:
            if isinstance(error, kind):
                raise error


_ENDED = (StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED)


def _check_row(run: TaskRun, row: TaskStep, uploads: threading.Semaphore) -> Failure | None:
    run.check_canceled()
    run.journal.begin(row)
    hosts = Host.objects.select_related("credential", "jump__credential")
    host = hosts.filter(pk=row.host_id or 0).first()
    if host is None:
        # Removed since the task was launched.
        run.journal.end(row, StepStatus.SKIPPED)
        return None
    try:
        _check(run, host, uploads)
    except Failure as failure:
        found = failure
    except (LeaseLost, Canceled, HandedOver):
        raise
    except Exception as error:
        found = unexpected(error, host=row.host_name)
    else:
        run.journal.end(row, StepStatus.CHANGED, changes=1)
        return None
    if host.state in (HostState.NEW, HostState.READY):
        # Whatever it was that failed: the host is not ready, and its page says why.
        set_state(host, HostState.UNREACHABLE, f"{found.found} {found.hint}".strip())
    found.step = row.title
    run.log(f"✗ {found}", host=row.host_name, step=STEP)
    run.journal.end(row, StepStatus.FAILED, failure=found.as_json())
    return found


def _check(run: TaskRun, host: Host, uploads: threading.Semaphore) -> None:
    def say(text: str) -> None:
        run.log(text, host=host.name, step=STEP)

    if not host.host_key:
        _show_fingerprint(host, say)
        return
    if host.first_password:
        _install_key(run, host)
        say(_("The credential's key is installed; the password is forgotten."))
    runner = HostRunner(run, host, uploads)
    try:
        facts = runner.facts()
    finally:
        runner.close()
    say(
        _("%(os)s, %(cpus)d CPUs, %(memory).1f GiB of memory, clock %(skew)+.1f s.")
        % {
            "os": facts.os_pretty,
            "cpus": facts.cpus,
            "memory": facts.memory / 2**30,
            "skew": host.clock_skew or 0,
        }
    )


def _show_fingerprint(host: Host, say: Callable[[str], None]) -> None:
    try:
        offered = offered_key(target_of(host, first_contact=not host.credential))
    except SSHError as error:
        note_error(host, error)
        raise failure_of(error, host.name) from error
    set_state(
        host,
        HostState.UNTRUSTED,
        _("Compare the fingerprint with the one on the host's own console, then trust it."),
        offered_key=offered,
    )
    say(_("The host shows the key %s. Somebody has to trust it.") % fingerprint(offered))


def _install_key(run: TaskRun, host: Host) -> None:
    """First contact: sign in with the password, add the public key, forget the password.

    Only once the host's key is trusted: a password is not sent to a stranger.
    """
    credential = host.credential
    if credential is None:
        raise Failure(
            host=host.name,
            code="credential",
            found=_("There is no credential whose key could be installed."),
            hint=_("Choose an SSH credential on the host's page."),
        )
    target = target_of(host, first_contact=True)
    run.writer.mask.add([target.password])
    key = quote(credential.public_key.strip())
    script = (
        "umask 077; mkdir -p ~/.ssh && touch ~/.ssh/authorized_keys && "
        f"{{ grep -qxF {key} ~/.ssh/authorized_keys || echo {key} >>~/.ssh/authorized_keys; }}"
    )
    try:
        with connect(target, settings.SSH_CONNECT_SECONDS) as link:
            result = link.run(
                script,
                lambda stream, text: run.log(text, host=host.name, step=STEP, stream=stream),
                seconds=INSTALL_SECONDS,
                as_root=False,
            )
        if result.status != 0:
            raise Failure(
                host=host.name,
                code="authorized_keys",
                found=_("The key could not be added to authorized_keys."),
                hint=_("Look at the output and at the rights of the user's home folder."),
            )
        connect(target_of(host), settings.SSH_CONNECT_SECONDS).close()
    except SSHError as error:
        note_error(host, error)
        raise failure_of(error, host.name) from error
    Host.objects.filter(pk=host.pk).update(first_password="")
    host.first_password = ""
    record("host.key_installed", host, actor=run.task.created_by)


register(Operation("check_hosts", gettext_noop("Check hosts"), run, rows))
