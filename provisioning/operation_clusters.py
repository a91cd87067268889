"""Operations that run a recipe on a cluster's hosts, and what their end means for the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.models import Cluster, ClusterStatus
from provisioning.cluster_spec import spec_of
from provisioning.journal import PlannedStep
from provisioning.models import Host, HostChange, Task, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.operations import Operation, register
from provisioning.recipe_run import RecipeRun, planned_steps
from provisioning.recipes.registry import RECIPES
from provisioning.run import TaskRun


def _cluster(task: Task) -> Cluster:
    if task.cluster is None:
        raise ValueError(f"task {task.pk} has no cluster")
    return task.cluster


def _rows(recipe: str) -> Callable[[Task], Iterable[PlannedStep]]:
    return lambda task: planned_steps(RECIPES[recipe], spec_of(_cluster(task)))


def _run(recipe: str) -> Callable[[TaskRun], None]:
    def run(run: TaskRun) -> None:
        RecipeRun(run, RECIPES[recipe], spec_of(_cluster(run.task))).execute()

    return run


def created(task: Task) -> None:
    """A cluster is active once its verify phase went through."""
    cluster = _cluster(task)
    if task.status == TaskStatus.SUCCEEDED:
        Cluster.objects.filter(pk=cluster.pk).update(seen=timezone.now())
        cluster.set_status(ClusterStatus.ACTIVE)
        return
    cluster.set_status(ClusterStatus.FAILED, _reason(task))


def repaired(task: Task) -> None:
    """A repair that went through makes the cluster active; another leaves its reason."""
    cluster = _cluster(task)
    if task.status == TaskStatus.SUCCEEDED:
        cluster.set_status(ClusterStatus.ACTIVE)
    else:
        cluster.set_status(
            ClusterStatus.FAILED if cluster.seen is None else ClusterStatus.UNREACHABLE,
            _reason(task),
        )


def deleted(task: Task) -> None:
    """Deleted: its hosts are free, and the cluster's row with its secrets goes."""
    cluster = _cluster(task)
    if task.status != TaskStatus.SUCCEEDED:
        cluster.set_status(ClusterStatus.DELETING, _reason(task))
        return
    HostChange.objects.filter(cluster=cluster).delete()
    Host.objects.filter(cluster=cluster).update(
        cluster=None, cluster_role=ClusterRole.NONE, cluster_index=None
    )
    cluster.delete()


def created_again(task: Task) -> None:
    """A failed creation goes on."""
    _cluster(task).set_status(ClusterStatus.PROVISIONING)


def deleted_again(task: Task) -> None:
    """A failed deletion goes on."""
    _cluster(task).set_status(ClusterStatus.DELETING)


def _reason(task: Task) -> str:
    if task.status == TaskStatus.CANCELED:
        return _("Canceled: retry the task, repair or delete the cluster.")
    where = task.failure.get("host", "")
    found = task.failure.get("found", "")
    step = task.failure.get("step", "")
    return f"{step} · {where}: {found}" if where else f"{step}: {found}"


register(
    Operation(
        "create_lightweight",
        gettext_noop("Create a lightweight cluster"),
        _run("create_lightweight"),
        _rows("create_lightweight"),
        on_end=created,
        on_retry=created_again,
    )
)
register(
    Operation(
        "repair", gettext_noop("Repair a cluster"), _run("repair"), _rows("repair"), on_end=repaired
    )
)
register(
    Operation(
        "delete",
        gettext_noop("Delete a cluster"),
        _run("delete"),
        _rows("delete"),
        on_end=deleted,
        on_retry=deleted_again,
    )
)
