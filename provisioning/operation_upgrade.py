"""What the end of an upgrade and of a renewal means for the cluster."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.models import Cluster
from provisioning import upgrading
from provisioning.departures import note_missed
from provisioning.models import Task, TaskStatus, TaskStep
from provisioning.operation_clusters import register_recipe
from provisioning.recipe_rows import LOOKS
from provisioning.recipes.upgrade import HARMLESS
from provisioning.run import Failure, TaskRun


def still_right(run: TaskRun) -> None:
    """A task that lay for long may not take a cluster back, or somewhere between three versions.

    Raises Failure.
    """
    cluster = run.task.cluster
    if cluster is None:
        raise Failure(found=_("The cluster of this task is gone."), code="cluster")
    cluster.refresh_from_db()
    old, new = str(run.parameters["from"]), str(run.parameters["to"])
    begun = upgrading.upgrading_to(cluster)
    if cluster.version in (old, new) and begun in ("", new):
        return
    raise Failure(
        code="stale",
        expected=_("A cluster of version %(version)s.") % {"version": old},
        found=_("%(cluster)s is %(version)s now, on its way to %(begun)s.")
        % {"cluster": cluster.name, "version": cluster.version, "begun": begun or "–"},
        hint=_("Launch a new upgrade instead."),
    )


def upgraded(task: Task) -> None:
    """Upgraded: the cluster has the new version.

    Otherwise it stays between two versions, unless no program was switched.
    """
    with transaction.atomic():
        cluster = _locked(task)
        if cluster is None or upgrading.upgrading_to(cluster) not in ("", task.parameters["to"]):
            return
        if task.status == TaskStatus.SUCCEEDED:
            cluster.version = str(task.parameters["to"])
            cluster.save(update_fields=["version"])
            upgrading.end(cluster)
        elif not _switched(task):
            upgrading.end(cluster)


def upgraded_again(task: Task) -> None:
    """A failed upgrade goes on; one that another has overtaken meanwhile does not (still_right)."""
    with transaction.atomic():
        cluster = _locked(task)
        if cluster is None or upgrading.upgrading_to(cluster):
            return
        if cluster.version == task.parameters["from"]:
            upgrading.begin(cluster, str(task.parameters["to"]))


def _locked(task: Task) -> Cluster | None:
    if task.cluster_id is None:
        return None
    return Cluster.objects.select_for_update().filter(pk=task.cluster_id).first()


def _switched(task: Task) -> bool:
    """Whether hosts may run another version since this task, or an earlier one that failed too."""
    steps = TaskStep.objects.filter(
        task__cluster=task.cluster_id,
        task__operation=task.operation,
        task__parameters__to=task.parameters["to"],
        task__parameters__from=task.parameters["from"],
        attempt__gt=0,
    )
    steps = steps.exclude(task__status=TaskStatus.SUCCEEDED)
    return steps.exclude(phase__in=(*LOOKS, *HARMLESS)).exists()


def renewed(task: Task) -> None:
    """Renewed; a worker that was away meanwhile has a repair to come."""
    if task.status == TaskStatus.SUCCEEDED:
        note_missed(task)


register_recipe("upgrade", gettext_noop("Upgrade a cluster"), upgraded, upgraded_again, still_right)
register_recipe("renew_certificates", gettext_noop("Renew a cluster's certificates"), renewed)
