"""Whose logs a page shows: the containers of a pod, or of all pods of a workload, from SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clusters.inventory.kinds import WORKLOADS
from clusters.models import Object

# Pods that one page follows at a time; each container of theirs is a connection.
MOST_SOURCES = 20
RESOURCES = ("pods", *WORKLOADS, "replicasets.apps")


@dataclass(frozen=True)
class Source:
    """One container of one pod; its name is what stands before its lines.

    restarts: how often it had been started again when the watcher last looked.
    """

    pod: str
    container: str
    uid: str = ""
    restarts: int | None = None

    @property
    def name(self) -> str:
        """pod/container, unique in a namespace."""
        return f"{self.pod}/{self.container}"


def containers_of(pod: Object) -> dict[str, int | None]:
    """A pod's containers with their restarts, its init containers last."""
    rows = [c for c in pod.summary.get("containers") or () if isinstance(c, dict) and c.get("name")]
    rows.sort(key=lambda c: bool(c.get("init")))
    return {str(c["name"]): c["restarts"] if type(c.get("restarts")) is int else None for c in rows}


def pods_of(row: Object) -> list[Object]:
    """The pods of an object: itself, or those that it owns over whatever lies between.

    The newest first, those that are not well before the others.
    """
    if row.resource == "pods":
        return [row]
    owners, found = [row.uid], []
    for _level in range(3):  # CronJob > Job > Pod; Deployment > ReplicaSet > Pod
        children = Object.objects.filter(
            cluster=row.cluster_id, namespace=row.namespace, owner_uid__in=[u for u in owners if u]
        )
        rows = list(children.order_by("-created")[:500])
        found += [child for child in rows if child.resource == "pods"]
        owners = [child.uid for child in rows if child.resource != "pods"]
        if not owners:
            break
    return sorted(found, key=lambda pod: pod.health not in ("bad", "warn"))


def sources_of(row: Object, container: str = "") -> list[Source]:
    """The sources of an object's log; container: that one alone of each pod."""
    return list(_sources(pods_of(row), container))


def _sources(pods: Iterable[Object], wanted: str) -> Iterable[Source]:
    for pod in pods:
        # Without a row of its containers the API server decides: there is mostly one.
        for name, restarts in (containers_of(pod) or {"": None}).items():
            if wanted in ("", name) or not name:
                yield Source(pod.name, name or wanted, pod.uid, restarts)


def choices_of(row: Object) -> list[str]:
    """The names of containers that one can choose from."""
    names: dict[str, int | None] = {}
    for pod in pods_of(row):
        names |= containers_of(pod)
    return list(names)
