"""What is told of tasks, snapshots, certificates and SSH keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery

from clusters.models import Cluster, ClusterSecret, Origin
from console.notices.expiry import Expiring
from console.notices.models import Notice, Severity
from console.notices.telling import Subject, Told, page, reconcile, tell
from provisioning.certificates import certificates_of
from provisioning.models import Host, SSHCredential, Task, TaskStatus
from provisioning.models_snapshots import Snapshot, SnapshotState

SNAPSHOT_SECONDS = 60.0
SNAPSHOT_KINDS = ("snapshot.failed",)
NO_GOOD = (SnapshotState.FAILED, SnapshotState.DAMAGED)


def task_ended(task: Task) -> None:
    """A task has ended, in the caller's transaction. One that somebody canceled is no news."""
    kinds = {
        TaskStatus.SUCCEEDED: ("task.succeeded", Severity.INFO),
        TaskStatus.FAILED: ("task.failed", Severity.WARNING),
        TaskStatus.ERROR: ("task.failed", Severity.WARNING),
    }
    found = kinds.get(TaskStatus(task.status))
    if found is None:
        return
    kind, severity = found
    tell(
        kind,
        f"task/{task.pk}/{task.attempt}",
        {"title": task.title, "reason": task.failure.get("found", ""), "task": task.pk},
        severity,
        page("provisioning:task", task.pk),
        subject=Subject("task", str(task.pk), task.title, task.cluster_name),
        owner=task.created_by,
    )


def scan_snapshots() -> None:
    """Clusters whose newest finished snapshot is no good."""
    finished = Snapshot.objects.filter(cluster=OuterRef("pk")).exclude(state=SnapshotState.TAKING)
    clusters = Cluster.objects.annotate(
        newest_state=Subquery(finished.values("state")[:1]),
        newest_reason=Subquery(finished.values("state_reason")[:1]),
    )
    bad = clusters.filter(newest_state__in=NO_GOOD)
    well = clusters.filter(newest_state=SnapshotState.READY).values_list("pk", flat=True)
    told = [_snapshot(cluster, cluster.newest_reason) for cluster in bad]
    # Where the bad ones were removed and none is left, nobody is told that there is a good one.
    opened = {str(pk) for pk in well}
    reconcile(SNAPSHOT_KINDS, told, quiet=_others(opened))


def _others(well: set[str]) -> set[str]:
    known = Notice.objects.filter(kind__in=SNAPSHOT_KINDS, resolved=None)
    return set(known.values_list("subject_id", flat=True)) - well


def _snapshot(cluster: Cluster, reason: str) -> Told:
    return Told(
        kind="snapshot.failed",
        key=f"snapshot/{cluster.pk}",
        values={"cluster": cluster.name, "reason": reason},
        severity=Severity.WARNING,
        link=page("clusters:tab", cluster.pk, "snapshots"),
        subject=Subject("cluster", str(cluster.pk), cluster.name, cluster.name),
    )


# Reading certificates is dear and they change rarely: what was found is good for a stamp.
_known: tuple[tuple[Any, ...], list[Expiring]] | None = None


def certificates_expiring() -> list[Expiring]:
    """Of each cluster of ours the certificate that ends first. Two queries while none changes."""
    global _known  # noqa: PLW0603  (one value for the process)
    stamp = _stamp()
    if _known is None or _known[0] != stamp:
        ours = Cluster.objects.filter(origin=Origin.PROVISIONED)
        _known = (stamp, [found for cluster in ours if (found := _first_of(cluster))])
    return _known[1]


def _stamp() -> tuple[Any, ...]:
    rows = ClusterSecret.objects.filter(name__endswith=".crt")
    secrets = rows.aggregate(count=Count("pk"), last=Max("updated"), top=Max("pk"))
    hosts = Host.objects.aggregate(count=Count("pk"), last=Max("facts_at"))
    return (*secrets.values(), *hosts.values())


def _first_of(cluster: Cluster) -> Expiring | None:
    ends: list[datetime] = [r.ends for r in certificates_of(cluster) if not r.renews_itself]
    if not ends:
        return None
    return Expiring(
        "certificate",
        f"cluster/{cluster.pk}/certificates",
        cluster.name,
        min(ends),
        page("clusters:tab", cluster.pk, "certificates"),
        permission="clusters.view",
        cluster=cluster.name,
    )


def ssh_keys_expiring() -> Iterator[Expiring]:
    """SSH keys for which a day is stated before which they are to be replaced."""
    for credential in SSHCredential.objects.exclude(valid_until=None):
        assert credential.ends is not None  # by the filter
        yield Expiring(
            "ssh_key",
            f"credential/{credential.pk}/key",
            credential.name,
            credential.ends,
            page("provisioning:credential", credential.pk),
            permission="credentials.view",
        )
