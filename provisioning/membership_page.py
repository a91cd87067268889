"""What a cluster's page says and offers about its members: add, replace, remove, catch up."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, Origin, Profile
from clusters.tabs import Action, NodeAction, Notice, registry
from provisioning.clusters import operable
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole


def missed(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """Members that were away while the others were changed: a repair brings them up to date."""
    if cluster.origin != Origin.PROVISIONED:
        return None
    hosts = list(Host.objects.filter(cluster=cluster).exclude(missed="").order_by("cluster_index"))
    return {"missed": hosts, "may_repair": operable(cluster)} if hosts else None


def remove_links(cluster: Cluster) -> dict[str, str]:
    """The page that removes a node, by the node's name."""
    return _links(cluster, "provisioning:cluster-remove-node")


def replace_links(cluster: Cluster) -> dict[str, str]:
    """The page that replaces a node, by the node's name."""
    return _links(cluster, "provisioning:cluster-replace-node")


def _links(cluster: Cluster, view: str) -> dict[str, str]:
    if not operable(cluster):
        return {}
    page = reverse(view, args=[cluster.pk])
    hosts = Host.objects.filter(cluster=cluster)
    if cluster.profile == Profile.LIGHTWEIGHT:
        # Its one control plane stays for good.
        hosts = hosts.filter(cluster_role=ClusterRole.WORKER)
    return {host.name: f"{page}?host={host.pk}" for host in hosts.only("pk", "name")}


def register() -> None:
    """Add the button, the links of the nodes and the notice to the cluster's page."""
    registry.add_action(
        Action(
            _("Add nodes"), "provisioning:cluster-add-nodes", "clusters.change",
            icon="plus", shown=operable, order=15,
        )
    )  # fmt: skip
    registry.add_node_action(
        NodeAction(_("Replace"), "clusters.change", icon="refresh", links=replace_links)
    )
    registry.add_node_action(
        NodeAction(_("Remove"), "clusters.change", icon="trash", links=remove_links)
    )
    registry.add_notice(Notice("clusters/notice_missed.html", "clusters.view", missed))
