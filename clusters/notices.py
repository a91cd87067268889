"""What is told of clusters and nodes, from what is true in SQL, and when credentials end.

Called where a status changes and every few seconds by each watcher process: saying the
same twice changes nothing, so nothing is missed and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clusters.models import Cluster, ClusterStatus, Node
from console.notices.expiry import Expiring
from console.notices.models import Notice, Severity
from console.notices.telling import Subject, Told, page, reconcile

SCAN_SECONDS = 10.0
CLUSTER_KINDS = ("cluster.away", "cluster.degraded")
NODE_KINDS = ("node.not_ready",)
# The kind of notice that a status is; the others hold back none.
BY_STATUS = {
    ClusterStatus.UNREACHABLE: ("cluster.away", Severity.CRITICAL),
    ClusterStatus.DEGRADED: ("cluster.degraded", Severity.WARNING),
}


def scan() -> None:
    """Look at every cluster and every node."""
    clusters = list(Cluster.objects.all())
    known = {str(cluster.pk) for cluster in clusters}
    reconcile(
        CLUSTER_KINDS,
        [told for cluster in clusters if (told := _cluster(cluster))],
        quiet=_unwell(clusters) | _gone(CLUSTER_KINDS, known),
    )
    _scan_nodes(clusters)


def status_changed(pk: int) -> None:
    """A cluster's status has just been written, in the caller's transaction."""
    cluster = Cluster.objects.filter(pk=pk).first()
    if cluster is None:
        return
    others = _ids(CLUSTER_KINDS) - {str(pk)}
    told = _cluster(cluster)
    reconcile(
        CLUSTER_KINDS,
        [told] if told else [],
        undecided=others,
        quiet=_unwell([cluster]),
    )


def credentials_expiring() -> Iterator[Expiring]:
    """The credentials of imported clusters whose end is known (Cluster.credentials_expire)."""
    for cluster in Cluster.objects.exclude(credentials_expire=None):
        assert cluster.credentials_expire is not None  # by the filter
        yield Expiring(
            "credential",
            f"cluster/{cluster.pk}/credentials",
            cluster.name,
            cluster.credentials_expire,
            page("clusters:detail", cluster.pk),
            permission="clusters.view",
            cluster=cluster.name,
        )


def _cluster(cluster: Cluster) -> Told | None:
    found = BY_STATUS.get(ClusterStatus(cluster.status))
    if found is None:
        return None
    kind, severity = found
    return Told(
        kind=kind,
        key=f"cluster/{cluster.pk}",
        values={"name": cluster.name, "reason": cluster.status_reason},
        severity=severity,
        link=page("clusters:detail", cluster.pk),
        subject=Subject("cluster", str(cluster.pk), cluster.name, cluster.name),
    )


def _unwell(clusters: Iterable[Cluster]) -> set[str]:
    """Clusters of which it is no good news that their last state is over."""
    well = (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)
    return {str(cluster.pk) for cluster in clusters if cluster.status not in well}


def _ids(kinds: Iterable[str]) -> set[str]:
    opened = Notice.objects.filter(kind__in=list(kinds), resolved=None)
    return set(opened.values_list("subject_id", flat=True))


def _gone(kinds: Iterable[str], known: set[str]) -> set[str]:
    return _ids(kinds) - known


def _scan_nodes(clusters: list[Cluster]) -> None:
    """Nodes of clusters that answer: of the others nothing new is known."""
    seen = (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)
    answering = {cluster.pk: cluster for cluster in clusters if cluster.status in seen}
    silent = {cluster.pk for cluster in clusters} - set(answering)
    nodes = Node.objects.filter(cluster__in=answering, ready=False).order_by("pk")
    there = set(Node.objects.values_list("cluster_id", "name")) if _ids(NODE_KINDS) else set()
    places = {_node_id(pk, name): pk for pk, name in there}
    reconcile(
        NODE_KINDS,
        [_node(node, answering[node.cluster_id]) for node in nodes],
        undecided={place for place, pk in places.items() if pk in silent},
        quiet=_gone(NODE_KINDS, set(places)),
    )


def _node_id(cluster_pk: int, name: str) -> str:
    return f"{cluster_pk}/{name}"


def _node(node: Node, cluster: Cluster) -> Told:
    return Told(
        kind="node.not_ready",
        key=f"node/{cluster.pk}/{node.name}",
        values={"name": node.name, "cluster": cluster.name, "reason": node.reason},
        severity=Severity.CRITICAL,
        link=page("clusters:tab", cluster.pk, "nodes"),
        subject=Subject("node", _node_id(cluster.pk, node.name), node.name, cluster.name),
    )
