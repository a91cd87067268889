"""What recipes ask for about a node's object: drain, uncordon, delete (steps/actions.py)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from clusters.kube import KubeError, connect
from clusters.kube.connection import Connection
from clusters.kube.drain import drain
from clusters.kube.drain_events import DrainEvent, Kind, Outcome
from clusters.kube.errors import (
    CertificateRefused,
    ClusterUnreachable,
    NotFound,
    ServerNotReady,
)
from clusters.kube.nodes_api import delete_node, node_path, uncordon
from provisioning.actions import ActionContext, action
from provisioning.models import Task, TaskStatus, TaskStep
from provisioning.run import Canceled, Failure, TaskRun

DRAIN_SECONDS = 900
PATIENCE = 60.0  # seconds; a virtual IP that moves is away for a few
MOST_WAITS = 20  # how many pods that are waited for are named on the task's page
# Who cordoned a node: one that a person had cordoned before stays so afterwards.
CORDONED_BY = "flotilla.dev/cordoned-by"


def api(ctx: ActionContext) -> Connection:
    """The cluster's API. Raises Failure where the console has no credentials for it."""
    try:
        return connect(ctx.cluster)
    except KubeError as error:
        raise failure_of(ctx, error) from error


def failure_of(ctx: ActionContext, error: KubeError) -> Failure:
    """A Failure for an error of the cluster's API."""
    return Failure(
        found=error.cause,
        hint=error.mend,
        expected=_("The cluster's API answers."),
        host=ctx.host.name if ctx.host else "",
        code="api",
    )


@action("drain")
def drain_node(ctx: ActionContext) -> int:
    """Cordon the node and wait until its pods are gone; the log says what each one waits for.

    A host that could not be reached counts as dead: its pods are deleted once
    the cluster has noticed, too.
    """
    name, dead = ctx.here.name, ctx.here.id not in ctx.runners
    conn, waits = api(ctx), Waits(ctx.run, ctx.row, ctx.log)
    patiently(ctx, lambda: _sign(conn, name, ctx.run.task.pk))
    try:
        result = drain(
            conn,
            name,
            timeout=float(str(ctx.spec.request.get("drain_seconds", DRAIN_SECONDS))),
            force=bool(ctx.spec.request.get("force")),
            dead=dead,
            on_event=waits.on_event,
            stopped=waits.stopped,
        )
    except KubeError as error:
        raise failure_of(ctx, error) from error
    ctx.log(result.text)
    if result.outcome is Outcome.CANCELED:
        ctx.run.check_canceled()
        raise Canceled
    if not result.done:
        raise Failure(
            host=name,
            code="drain",
            expected=_("Every pod that can leave the node has left it."),
            found=result.text,
            hint=_("Mend what holds the pods, then retry; the drain goes on where it was."),
            output=[wait.text for wait in result.remaining],
        )
    return len(result.left)


@action("uncordon")
def uncordon_node(ctx: ActionContext) -> int:
    """Let the node take pods again, unless a person had cordoned it before this task did."""
    name, conn = ctx.here.name, api(ctx)

    def again() -> int:
        node = conn.get_json(node_path(name))
        if _annotations(node).get(CORDONED_BY) != str(ctx.run.task.pk):
            ctx.log(_("It stays cordoned: somebody had cordoned it before."))
            return 0
        uncordon(conn, name)
        conn.merge_patch(node_path(name), {"metadata": {"annotations": {CORDONED_BY: None}}})
        return 1

    return patiently(ctx, again)


@action("delete-node")
def forget_node(ctx: ActionContext) -> int:
    """Delete the node's object; its host's certificates go when the task ends."""
    conn = api(ctx)
    return patiently(ctx, lambda: int(delete_node(conn, ctx.here.name)))


def patiently(ctx: ActionContext, call: Callable[[], int]) -> int:
    """Call until the API answers: what a task itself stops or moves is away for a moment.

    Raises Failure after PATIENCE seconds, or at once for an error that waiting does not mend.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        ctx.run.check_canceled()
        try:
            return call()
        except (ClusterUnreachable, ServerNotReady) as error:
            lasting = isinstance(error, CertificateRefused)
            if lasting or time.monotonic() > deadline:
                raise failure_of(ctx, error) from error
            ctx.log(error.cause)
            ctx.run.lease.stop.wait(1.0)
        except KubeError as error:
            raise failure_of(ctx, error) from error


class Waits:
    """Logs a drain's events, and keeps on its row what it waits for at the moment.

    The lines change at most once a second, however many pods come and go.
    """

    def __init__(self, run: TaskRun, row: TaskStep, log: Callable[[str], None]) -> None:
        self.run, self.row, self.log = run, row, log
        self._lines: dict[str, str] = {}
        self._shown, self._next = "", 0.0

    def on_event(self, event: DrainEvent) -> None:
        """One event of the drain, in its order."""
        self.log(event.text)
        pod = f"{event.namespace}/{event.pod}"
        if event.kind is Kind.GONE:
            self._lines.pop(pod, None)
        elif event.kind in (Kind.WAITING, Kind.NODE_READY, Kind.SERVER_AWAY):
            self._lines[pod] = event.text

    def stopped(self) -> bool:
        """Whether the drain is to end; asked several times a second, which shows what is new."""
        self._show()
        return self.run.lease.stop.is_set()

    def _show(self) -> None:
        lines = list(self._lines.values())
        more = len(lines) - MOST_WAITS
        text = "\n".join(lines[:MOST_WAITS])
        if more > 0:
            text += "\n" + _("and %(count)d more") % {"count": more}
        if text != self._shown and time.monotonic() >= self._next:
            self.run.journal.note(self.row, text)
            self._shown, self._next = text, time.monotonic() + 1.0


def _sign(conn: Connection, name: str, task: int) -> int:
    try:
        node = conn.get_json(node_path(name))
    except NotFound:
        return 0
    cordoned = bool((node.get("spec") or {}).get("unschedulable"))
    # What an earlier task of ours cordoned and did not come to the end with, this one takes over.
    if not cordoned or _unfinished(_annotations(node).get(CORDONED_BY, "")):
        signed = {"metadata": {"annotations": {CORDONED_BY: str(task)}}}
        conn.merge_patch(node_path(name), signed)
    return 1


def _unfinished(number: str) -> bool:
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return False
    return Task.objects.filter(pk=int(number)).exclude(status=TaskStatus.SUCCEEDED).exists()


def _annotations(node: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = (node.get("metadata") or {}).get("annotations") or {}
    return found
