"""The operation drain_node: a person drains a node of any cluster, in their own name."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.kube import KubeError
from clusters.kube.drain import drain
from clusters.kube.drain_events import Outcome
from clusters.models import Cluster
from clusters.operate import connection
from console.accounts.models import User
from console.accounts.permissions import allowed
from console.audit.record import record
from provisioning.action_nodes import Waits
from provisioning.models import Task, TaskStatus
from provisioning.operations import launch, operation
from provisioning.run import Canceled, Failure, TaskRun

OPERATION = "drain_node"
STEP = "drain"


def drain_node(
    cluster: Cluster, node: str, options: dict[str, Any], *, user: User, request: Any = None
) -> Task:
    """Launch the drain of a node, or answer the one that is under way.

    options: local_data, force (booleans), grace (seconds or None), timeout (seconds).
    """
    running = Task.objects.filter(
        cluster=cluster,
        operation=OPERATION,
        status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING),
        parameters__node=node,
    ).first()
    if running is not None:
        return running
    return launch(
        OPERATION,
        title=_("Drain %(node)s of %(cluster)s") % {"node": node, "cluster": cluster.name},
        user=user,
        parameters={"cluster": cluster.pk, "node": node, **options},
        cluster=cluster,
        request=request,
    )


def ended(task: Task) -> None:
    """The audit event of the drain itself: the node, the options, how it ended."""
    record(
        "node.drained",
        task.cluster,
        actor=task.created_by,
        object_name=f"{task.cluster_name}: Node {task.parameters['node']}",
        after={k: v for k, v in task.parameters.items() if k not in ("cluster", "node")},
        outcome="success" if task.status == TaskStatus.SUCCEEDED else "failure",
        reason=str(task.failure.get("found", "")) or str(task.get_status_display()),
    )


@operation(
    OPERATION,
    title=gettext_noop("Drain a node"),
    steps=[(STEP, gettext_noop("Drain the node"))],
    on_end=ended,
    personal=True,
)
def run(run: TaskRun) -> None:
    """Cordon the node, evict its pods, and say live what each one waits for. Raises Failure."""
    wanted = run.parameters
    with run.step(STEP) as row:
        if row is None:
            return
        waits = Waits(run, row, run.log)
        try:
            grace = wanted.get("grace")
            result = drain(
                connection(cluster_of(run), actor_of(run), None),
                str(wanted["node"]),
                timeout=float(wanted.get("timeout") or 900),
                force=bool(wanted.get("force")),
                local_data=bool(wanted.get("local_data")),
                grace=None if grace is None else int(grace),
                on_event=waits.on_event,
                stopped=waits.stopped,
            )
        except KubeError as error:
            raise failure_of(error) from error
        run.log(result.text)
        if result.outcome is Outcome.CANCELED:
            run.check_canceled()
            raise Canceled
        if not result.done:
            raise Failure(
                code="drain",
                expected=_("Every pod that can leave the node has left it."),
                found=result.text,
                hint=_("Mend what holds the pods, then retry; the drain goes on where it was."),
                output=[wait.text for wait in result.remaining],
            )


def cluster_of(run: TaskRun) -> Cluster:
    """The task's cluster. Raises Failure when it was removed meanwhile."""
    cluster = Cluster.objects.filter(pk=run.parameters["cluster"]).first()
    if cluster is None:
        raise Failure(
            code="cluster",
            found=_("The cluster was removed from the console meanwhile."),
            hint=_("Nothing is left to do here."),
        )
    return cluster


def actor_of(run: TaskRun) -> User:
    """In whose name the task acts. Raises Failure when they may not (any more)."""
    user = run.task.created_by
    if user is None or not allowed(user, "clusters.operate"):
        raise Failure(
            code="rights",
            found=_("Who launched this may no longer act inside clusters."),
            hint=_("Somebody who may has to launch it anew."),
        )
    return user


def failure_of(error: KubeError) -> Failure:
    """A Failure for an error of the cluster's API."""
    return Failure(
        found=error.cause, hint=error.mend, expected=_("The cluster does it."), code="api"
    )
