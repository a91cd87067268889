"""What quick start made and how it goes, from SQL alone: as fresh as the watcher's rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from clusters import label_query
from clusters.models import Object
from clusters.words import cause_text
from tenancy.models import Namespace
from tenancy.quick_start import MANAGED_BY, MANAGER, NAME

DEPLOYMENTS = "deployments.apps"
MOST = 200


@dataclass(frozen=True)
class Progress:
    """How far an application is. causes: (about, why) of what is not well; quota: one is that
    the namespace's quota is exceeded."""

    deployment: Object | None
    rows: list[Object]
    pods: list[Object]
    ready: int = 0
    desired: int = 0
    causes: tuple[tuple[str, str], ...] = ()
    quota: bool = False

    @property
    def done(self) -> bool:
        """Whether every pod that is wanted is ready, and no cause is left."""
        return self.deployment is not None and self.ready >= self.desired and not self.causes


def made(namespace: Namespace) -> list[Object]:
    """The Deployments that quick start made in a namespace, by name."""
    return list(_rows(namespace).filter(resource=DEPLOYMENTS).order_by("name")[:MOST])


def progress(namespace: Namespace, name: str) -> Progress:
    """How an application goes by what the watcher has seen."""
    of_app = label_query.condition(label_query.Requirement(NAME, (name,)))
    rows = list(_rows(namespace).filter(of_app).order_by("resource", "name")[:MOST])
    pods = [row for row in rows if row.resource == "pods"]
    deployment = next((row for row in rows if row.resource == DEPLOYMENTS), None)
    if deployment is None:
        return Progress(None, rows, pods)
    # The same trouble is told of the Deployment, its ReplicaSet and its pods: the topmost counts.
    causes = {why: row for row in reversed(rows) if (why := cause_text(row))}
    quota = any(row.cause.get("code") == "quota_exceeded" for row in rows)
    return Progress(
        deployment,
        rows,
        pods,
        ready=int(deployment.summary.get("ready") or 0),
        desired=int(deployment.summary.get("desired") or 0),
        causes=tuple((f"{row.kind} {row.name}", why) for why, row in reversed(causes.items())),
        quota=quota,
    )


def _rows(namespace: Namespace) -> QuerySet[Object]:
    ours = label_query.condition(label_query.Requirement(MANAGED_BY, (MANAGER,)))
    return Object.objects.filter(
        ours, cluster=namespace.cluster_id, namespace=namespace.name
    )  # fmt: skip
