"""Which custom kinds a cluster offers, kept in SQL so that no page waits for the cluster."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from clusters.inventory.kinds import EVENTS, KINDS
from clusters.inventory.lease import Lease
from clusters.inventory.raw import JSON, as_map, as_maps, text, texts
from clusters.kube import ClusterUnreachable, Connection, KubeError
from clusters.models import Cluster, OfferedKinds

GROUPS = "/apis"
# Both forms in one request (1.27 and newer); older servers answer the second (KEP-3352).
AGGREGATED = (
    "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,"
    "application/json;v=v2beta1;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList,"
    "application/json"
)
FRESH = timedelta(minutes=10)
WALK_SECONDS = 8.0
MOST_GROUPS = 300
MOST_KINDS = 2000


def keep_offered(lease: Lease, server: Connection) -> None:
    """Ask for the kinds when a page wants them and they are not fresh.

    Raises LeaseLost; that the cluster does not tell is kept as the row's problem.
    """
    row = OfferedKinds.objects.filter(cluster_id=lease.cluster_id).first()
    if row is None or row.asked is None or (row.read and row.read >= row.asked):
        return
    try:
        row.kinds, silent = offered(server)
        row.problem = ""
        if silent:
            row.problem = f"These API groups did not answer in time: {', '.join(silent)[:1000]}."
    except KubeError as error:
        row.problem = str(error)
    with lease.holding() as cluster:
        row.read = timezone.now()
        row.save(update_fields=["kinds", "problem", "read"])
        cluster.changes += 1
        cluster.save(update_fields=["changes"])


def offered(server: Connection) -> tuple[list[dict[str, Any]], list[str]]:
    """The kinds that can be listed and watched and are not Kubernetes' own, sorted by name.

    Each {"group", "version", "plural", "kind", "namespaced"}; behind them the
    groups that did not tell. Takes some 15 seconds at most, since the cluster's
    pulse waits for it. Raises KubeError.
    """
    answer = server.get_json(GROUPS, timeout=5.0, accept=AGGREGATED)
    silent: list[str] = []
    if as_maps(answer.get("items"), MOST_GROUPS):
        found = _aggregated(answer)
    else:
        found, silent = _walked(server, answer)
    known = {kind.resource for kind in (*KINDS, EVENTS)}
    kinds = {
        f"{kind['plural']}.{kind['group']}": kind
        for kind in found
        if kind["plural"] and kind["version"] and kind["kind"]
    }
    return [kinds[name] for name in sorted(kinds.keys() - known)][:MOST_KINDS], silent


def _aggregated(answer: JSON) -> list[dict[str, Any]]:
    found = []
    for group in as_maps(answer.get("items"), MOST_GROUPS):
        name = text(as_map(group.get("metadata")).get("name"))
        # The first version is the preferred one.
        for version in as_maps(group.get("versions"))[:1] if _custom(name) else ():
            for raw in as_maps(version.get("resources"), MOST_KINDS):
                found += _kind(
                    name,
                    text(version.get("version"), 63),
                    text(raw.get("resource"), 63),
                    text(as_map(raw.get("responseKind")).get("kind"), 63),
                    raw.get("scope") == "Namespaced",
                    texts(raw.get("verbs"), 20),
                )
    return found


def _walked(server: Connection, answer: JSON) -> tuple[list[dict[str, Any]], list[str]]:
    """Group by group, as older servers tell it; and the groups that did not answer."""
    found: list[dict[str, Any]] = []
    silent: list[str] = []
    ends = time.monotonic() + WALK_SECONDS
    for group in as_maps(answer.get("groups"), MOST_GROUPS):
        name = text(group.get("name"))
        preferred = as_map(group.get("preferredVersion"))
        version = text(preferred.get("version"), 63)
        if not version or not _custom(name):
            continue
        try:
            if time.monotonic() > ends:
                raise ClusterUnreachable(f"{name} was not asked any more.")
            path = f"{GROUPS}/{quote(name, safe='')}/{quote(version, safe='')}"
            resources = server.get_json(path, timeout=2.0)
        except KubeError:
            silent.append(name)  # a group whose own server is away hides no other
            continue
        for raw in as_maps(resources.get("resources"), MOST_KINDS):
            found += _kind(
                name,
                version,
                text(raw.get("name"), 63),
                text(raw.get("kind"), 63),
                raw.get("namespaced") is True,
                texts(raw.get("verbs"), 20),
            )
    return found, silent


def _custom(group: str) -> bool:
    """Kubernetes' own groups have no dot or end with the name that is reserved for them."""
    return "." in group and not group.endswith(".k8s.io")


def _kind(
    group: str, version: str, plural: str, kind: str, namespaced: bool, verbs: list[str]
) -> list[dict[str, Any]]:
    if "/" in plural or not {"list", "watch"} <= set(verbs):
        return []  # a subresource, or nothing to follow
    return [
        {
            "group": group,
            "version": version,
            "plural": plural,
            "kind": kind,
            "namespaced": namespaced,
        }
    ]


def wanted(cluster: Cluster) -> OfferedKinds:
    """What is known of a cluster's custom kinds; the watcher is asked to look when it is old."""
    row, _made = OfferedKinds.objects.get_or_create(cluster=cluster)
    if row.asked is None or row.asked < timezone.now() - FRESH:
        row.asked = timezone.now()
        row.save(update_fields=["asked"])
    return row
