"""Hosts that leave a cluster, and hosts that were away while something was done to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterSecret
from provisioning.models import Cleanup, Host, HostChange, Task, TaskStep
from provisioning.models_hosts import ClusterRole
from provisioning.recipe_rows import FACTS_STEP
from provisioning.recipe_run import AWAY


def away_of(task: Task) -> dict[int, str]:
    """The hosts that a task left out, with the reason, by host id."""
    rows = TaskStep.objects.filter(task=task, host__isnull=False, failure__code=AWAY)
    return {row.host_id: str(row.failure["found"]) for row in rows if row.host_id}


def release_hosts(cluster: Cluster, hosts: Iterable[Host], away: Mapping[int, str]) -> None:
    """Free these hosts. One that was away keeps a clean-up with the way back, to be done later."""
    for host in hosts:
        changes = HostChange.objects.filter(cluster=cluster, host=host)
        if host.pk in away and changes.exists():
            Cleanup.objects.update_or_create(
                host=host,
                cluster_number=cluster.pk,
                defaults={
                    "cluster_name": cluster.name,
                    "records": list(changes.values_list("record", flat=True)),
                    "reason": away[host.pk],
                },
            )
        changes.delete()
        ClusterSecret.objects.filter(cluster=cluster, name__startswith=f"hosts/{host.pk}/").delete()
        Host.objects.filter(pk=host.pk, cluster=cluster).update(
            cluster=None, cluster_role=ClusterRole.NONE, cluster_index=None, missed=""
        )


def note_missed(task: Task) -> None:
    """Mark the members that a task went on without: a repair brings them up to date."""
    for host_id, reason in away_of(task).items():
        text = _("It was away during “%(task)s”: %(reason)s") % {
            "task": task.title,
            "reason": reason,
        }
        Host.objects.filter(pk=host_id, cluster=task.cluster_id).update(missed=text)


def mended(task: Task) -> None:
    """A repair went through: those that it reached are up to date."""
    reached = TaskStep.objects.filter(task=task, phase="after", step=FACTS_STEP)
    done = reached.exclude(host=None).exclude(host_id__in=away_of(task))
    Host.objects.filter(pk__in=done.values_list("host_id", flat=True)).update(missed="")
