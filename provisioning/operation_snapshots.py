"""Snapshots and restores as tasks, and what their end means."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.models import Cluster, ClusterStatus
from provisioning import (  # noqa: F401 (two of them register actions)
    snapshots_restore,
    snapshots_take,
    upgrading,
)
from provisioning.cluster_operations import Kind, Wanted, register
from provisioning.departures import away_of, note_missed
from provisioning.models import Host, Task, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.models_snapshots import (
    Snapshot,
    SnapshotOrigin,
    SnapshotState,
)
from provisioning.operation_clusters import register_recipe
from provisioning.snapshots import forget_file, schedule_of, settle_unfinished, told
from provisioning.steps.base import Problem


def snapshot(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: origin (SnapshotOrigin; by hand unless given)."""
    origin = SnapshotOrigin(values.get("origin", SnapshotOrigin.HAND))
    title = _("Snapshot of %(name)s") % {"name": cluster.name}
    return Wanted(title, [], {"origin": origin.value}, {"why": origin.value})


def restore(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: snapshot (its number, or the row)."""
    title = _("Restore %(name)s") % {"name": cluster.name}
    given = values.get("snapshot")
    row = given if isinstance(given, Snapshot) else _row(given)
    if row is None or row.cluster_id != cluster.pk:
        what = _("This is no snapshot of %(cluster)s.") % {"cluster": cluster.name}
        problem = Problem("wrong_cluster", what, _("Choose one of its own."), field="snapshot")
        return Wanted(title, [problem], {}, {})
    if row.state != SnapshotState.READY:
        what = _("The snapshot is not ready: %(state)s. %(reason)s") % {
            "state": row.get_state_display(),
            "reason": row.state_reason,
        }
        problem = Problem("not_ready", what.strip(), _("Choose another one."), field="snapshot")
        return Wanted(title, [problem], {}, {})
    # The same snapshot may be restored twice: hosts tell the two apart by this word.
    parameters = {"snapshot": row.pk, "run": secrets.token_hex(8)}
    return Wanted(title, [], parameters, {"snapshot": row.pk, **told(row)})


def _row(number: object) -> Snapshot | None:
    text = str(number)
    known = text.isascii() and text.isdigit() and len(text) < 19
    return Snapshot.objects.filter(pk=int(text)).first() if known else None


def snapshot_ended(task: Task) -> None:
    """Say where a snapshot failed; one by schedule also on the schedule."""
    settle_unfinished()
    if task.status == TaskStatus.SUCCEEDED or task.cluster is None:
        return
    if task.parameters.get("origin") == SnapshotOrigin.SCHEDULE:
        row = schedule_of(task.cluster)
        why = str(task.failure.get("found", "")) or str(task.get_status_display())
        row.last_failure = _("Task %(number)d: %(why)s") % {"number": task.pk, "why": why}
        row.last_failure_at = timezone.now()
        row.save(update_fields=["last_failure", "last_failure_at"])


def restored(task: Task) -> None:
    """A restored cluster is active; control planes that were away hold what must not run again."""
    cluster = task.cluster
    if cluster is None:
        return
    if task.status != TaskStatus.SUCCEEDED:
        if not task.steps.filter(phase="stop", attempt__gt=0).exists():
            return  # refused before anything was touched
        why = str(task.failure.get("found", "")) or str(task.get_status_display())
        reason = _("The restore did not come to its end: %(why)s") % {"why": why}
        cluster.set_status(ClusterStatus.UNREACHABLE, reason)
        return
    cluster.set_status(ClusterStatus.ACTIVE)
    upgrading.end(cluster)
    note_missed(task)
    members = Host.objects.filter(
        pk__in=away_of(task), cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE
    )
    members.update(
        missed=_(
            "It was away when the cluster was restored (task %(number)d) and still holds the data "
            "from before: replace or remove it, and do not let it run before."
        )
        % {"number": task.pk}
    )


@receiver(post_delete, sender=Snapshot)
def _file_goes_too(instance: Snapshot, **_more: Any) -> None:
    forget_file(instance.cluster_id, instance.pk)


register_recipe("snapshot", gettext_noop("Take a snapshot"), snapshot_ended)
register_recipe("restore", gettext_noop("Restore a cluster"), restored)
register(Kind("snapshot", "snapshot.taken", snapshot, even_unhealthy=True))
register(Kind("restore", "cluster.restored", restore, even_unhealthy=True))
