"""Operations that run a recipe on a cluster's hosts, and what their end means for the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters import ending
from clusters.models import Cluster, ClusterStatus
from provisioning.cluster_spec import facts_of
from provisioning.clusters import free_router_id
from provisioning.departures import away_of, mended, note_missed, release_hosts
from provisioning.journal import PlannedStep
from provisioning.membership import Parties, members, note_places
from provisioning.models import Host, StepStatus, Task, TaskStatus
from provisioning.operation_spec import operation_spec
from provisioning.operations import Operation, register
from provisioning.recipe_rows import CHECK_STEP, planned_steps
from provisioning.recipe_run import RecipeRun
from provisioning.recipes.registry import RECIPES
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec


def _cluster(task: Task) -> Cluster:
    if task.cluster is None:
        raise ValueError(f"task {task.pk} has no cluster")
    return task.cluster


def _spec(task: Task) -> ClusterSpec:
    return operation_spec(_cluster(task), task.operation, task.parameters)


def _rows(task: Task) -> Iterable[PlannedStep]:
    return planned_steps(RECIPES[task.operation], _spec(task))


def _run(run: TaskRun) -> None:
    RecipeRun(run, RECIPES[run.task.operation], _spec(run.task)).execute()


def register_recipe(
    recipe: str,
    title: str,
    on_end: Callable[[Task], None] | None = None,
    on_retry: Callable[[Task], None] | None = None,
    before: Callable[[TaskRun], None] = lambda _run: None,
) -> None:
    """Make a recipe an operation of the same id that tasks can run.

    before: looks, at each begin, whether the task may still go on; raises Failure.
    """

    def run(run: TaskRun) -> None:
        before(run)
        _run(run)

    register(Operation(recipe, title, run, _rows, on_end=on_end, on_retry=on_retry))


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
        Cluster.objects.filter(pk=cluster.pk, seen=None).update(seen=timezone.now())
        mended(task)
    else:
        cluster.set_status(
            ClusterStatus.FAILED if cluster.seen is None else ClusterStatus.UNREACHABLE,
            _reason(task),
        )


def deleted(task: Task) -> None:
    """Deleted: its hosts are free, and the cluster's row with its secrets goes.

    A host that was away keeps a clean-up to be done later.
    """
    cluster = _cluster(task)
    if task.status != TaskStatus.SUCCEEDED:
        cluster.set_status(ClusterStatus.DELETING, _reason(task))
        return
    release_hosts(cluster, members(cluster), away_of(task))
    ending.remove(cluster, stays=False)


def joined(task: Task) -> None:
    """Hosts were added; one that was away meanwhile has a repair to come."""
    if task.status == TaskStatus.SUCCEEDED:
        note_missed(task)


def left(task: Task) -> None:
    """Hosts have left: they are free, or wait for their clean-up."""
    if task.status != TaskStatus.SUCCEEDED:
        return
    cluster, parties = _cluster(task), Parties.from_json(task.parameters)
    hosts = Host.objects.filter(pk__in=[place.host.id for place in parties.leaving])
    release_hosts(cluster, list(hosts), away_of(task))
    note_places(cluster)
    note_missed(task)


def created_again(task: Task) -> None:
    """A failed creation goes on; with another router id when its own was heard on the network."""
    cluster = _cluster(task)
    last = task.steps.filter(step=CHECK_STEP).first()
    if cluster.router_id and last is not None and last.status == StepStatus.FAILED:
        known = [facts for host in members(cluster) if (facts := facts_of(host))]
        heard = {id for facts in known for id in facts.vrrp_heard}
        ours = any(cluster.pk in facts.clusters for facts in known)
        # The failure bears the code of the first problem alone, and there may have been more.
        if last.failure.get("code") == "router_id" or (cluster.router_id in heard and not ours):
            cluster.router_id = free_router_id({cluster.router_id, *heard})
            cluster.save(update_fields=["router_id"])
    cluster.set_status(ClusterStatus.PROVISIONING)


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


register_recipe(
    "create_lightweight", gettext_noop("Create a lightweight cluster"), created, created_again
)
register_recipe(
    "create_standard", gettext_noop("Create a standard cluster"), created, created_again
)
register_recipe("repair", gettext_noop("Repair a cluster"), repaired)
register_recipe("delete", gettext_noop("Delete a cluster"), deleted, deleted_again)
register_recipe("add_nodes", gettext_noop("Add nodes"), joined)
register_recipe("remove_node", gettext_noop("Remove a node"), left)
register_recipe("replace_node", gettext_noop("Replace a node"), left)
