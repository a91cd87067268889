"""The lists of a cluster's page: which resources, columns, orders and words of status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from clusters import cells
from clusters.inventory.kinds import BY_RESOURCE, WORKLOADS
from clusters.kube.metrics_api import Use
from clusters.links import unlinked
from clusters.models import Object


@dataclass(frozen=True)
class Column:
    """One column: its id in addresses, heading, content, what it sorts by, shown by default.

    used: what its cell shows of an object's use (clusters.metrics.latest), instead of `cell`;
    the figures are read only while such a column is chosen. outside: it leads out of the namespace,
    to what whoever sees that alone cannot open.
    """

    id: str
    label: Any
    cell: Callable[[Object], Any] | None = None
    sort: str = ""
    shown: bool = True
    used: Callable[[Object, Use | None], Any] | None = None
    outside: bool = False

    @property
    def sort_key(self) -> str:
        """What it sorts by, without the direction."""
        return self.sort.removeprefix("-")

    def content(self, row: Object, uses: Mapping[int, Use], *, whole: bool = True) -> Any:
        """What stands in the cell of an object. uses: by its key; whole: with ways outside."""
        if self.used is not None:
            return self.used(row, uses.get(row.pk))
        found = self.cell(row) if self.cell else ""
        return found if whole or not self.outside else unlinked(found)


@dataclass(frozen=True)
class Listing:
    """One list. statuses: what the filter offers; empty where the kinds have no status."""

    id: str
    title: Any
    resources: tuple[str, ...]
    columns: tuple[Column, ...]
    icon: str
    statuses: tuple[str, ...] = ()

    @property
    def sorts(self) -> tuple[str, ...]:
        """The columns that `?sort=` may name, the name first."""
        return tuple(column.sort for column in self.columns if column.sort)


NAME = Column("name", _("Name"), cells.name, "name")
KIND = Column("kind", _("Kind"), cells.kind)
NAMESPACE = Column("namespace", _("Namespace"), cells.namespace, outside=True)
STATUS = Column("status", _("Status"), cells.status, "status")
AGE = Column("age", _("Created"), cells.created, "-created")
LABELS = Column("labels", _("Labels"), cells.labels, shown=False)
IMAGES = Column("images", _("Images"), cells.images, shown=False)

WORKLOAD_LIST = Listing(
    "workloads", _("Workloads"), WORKLOADS,
    (
        NAME, KIND, NAMESPACE, STATUS,
        Column("ready", _("Ready"), cells.ready),
        Column("images", _("Images"), cells.images), LABELS, AGE,
    ),
    icon="stack-2",
    statuses=(
        "Available", "Progressing", "Stalled", "Paused", "Scaled to 0", "Complete", "Failed",
        "Running", "Suspended",
    ),
)  # fmt: skip
POD_LIST = Listing(
    "pods", _("Pods"), ("pods",),
    (
        NAME, NAMESPACE, STATUS,
        Column("ready", _("Ready"), cells.ready),
        Column("restarts", _("Restarts"), cells.restarts),
        Column("node", _("Node"), cells.node, "node", outside=True),
        Column("ip", _("IP address"), cells.address, shown=False),
        Column("cpu", _("CPU request / limit"), cells.cpu, shown=False),
        Column("memory", _("Memory request / limit"), cells.memory, shown=False),
        Column("cpu-used", _("CPU used"), shown=False, used=cells.used_cpu),
        Column("memory-used", _("Memory used"), shown=False, used=cells.used_memory),
        Column("owner", _("Owner"), cells.owner, shown=False),
        Column("qos", _("Quality of service"), cells.qos, shown=False), IMAGES, LABELS, AGE,
    ),
    icon="box",
    statuses=(
        "Running", "Pending", "ContainerCreating", "CrashLoopBackOff", "ImagePullBackOff",
        "ErrImagePull", "CreateContainerConfigError", "Error", "OOMKilled", "Completed", "Evicted",
        "Terminating", "Unknown",
    ),
)  # fmt: skip
NETWORK_LIST = Listing(
    "network", _("Network"), ("services", "ingresses.networking.k8s.io"),
    (
        NAME, KIND, NAMESPACE,
        Column("type", _("Type or class"), cells.network_type),
        Column("addresses", _("Addresses"), cells.network_addresses),
        Column("ports", _("Ports or hosts"), cells.network_ports), LABELS, AGE,
    ),
    icon="network",
)  # fmt: skip
STORAGE_LIST = Listing(
    "storage", _("Storage"),
    ("persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"),
    (
        NAME, KIND, NAMESPACE, STATUS,
        Column("capacity", _("Size or provisioner"), cells.capacity),
        Column("class", _("Class"), cells.storage_class, outside=True),
        Column("bound", _("Bound to"), cells.bound, outside=True),
        Column("modes", _("Access"), cells.modes, shown=False), LABELS, AGE,
    ),
    icon="database",
    statuses=("Bound", "Pending", "Available", "Released", "Lost", "Failed", "Terminating"),
)  # fmt: skip
CONFIG_LIST = Listing(
    "config", _("Config"), ("configmaps", "secrets"),
    (NAME, KIND, NAMESPACE, Column("type", _("Type"), cells.secret_type), LABELS, AGE),
    icon="settings",
)  # fmt: skip
NAMESPACE_LIST = Listing(
    "namespaces", _("Namespaces"), ("namespaces",),
    (NAME, STATUS, Column("pods", _("Pods"), cells.pods_of_namespace), LABELS, AGE),
    icon="folders", statuses=("Active", "Terminating"),
)  # fmt: skip
LISTINGS = {
    listing.id: listing
    for listing in (
        WORKLOAD_LIST, POD_LIST, NETWORK_LIST, STORAGE_LIST, CONFIG_LIST, NAMESPACE_LIST,
    )
}  # fmt: skip
_TABS = {"nodes": "nodes"} | {
    resource: listing.id for listing in LISTINGS.values() for resource in listing.resources
}


def tab_of(resource: str) -> str:
    """The tab of a cluster's page that lists a resource ("pods", "deployments.apps")."""
    return _TABS.get(resource) or ("workloads" if resource in BY_RESOURCE else "kinds")
