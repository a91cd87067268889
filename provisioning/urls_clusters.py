"""The pages of a cluster's operations."""

from __future__ import annotations

from django.urls import path

from provisioning import (
    views_certificates,
    views_cluster_audit,
    views_clusters,
    views_drills,
    views_membership,
    views_upgrade,
)

urlpatterns = [
    path("clusters/create/", views_clusters.create, name="cluster-create"),
    path("clusters/<int:pk>/repair/", views_clusters.repair, name="cluster-repair"),
    path("clusters/<int:pk>/add-nodes/", views_membership.add_nodes, name="cluster-add-nodes"),
    path(
        "clusters/<int:pk>/remove-node/", views_membership.remove_node, name="cluster-remove-node"
    ),
    path(
        "clusters/<int:pk>/replace-node/",
        views_membership.replace_node,
        name="cluster-replace-node",
    ),
    path("clusters/<int:pk>/upgrade/", views_upgrade.upgrade, name="cluster-upgrade"),
    path("clusters/<int:pk>/renew/", views_certificates.renew, name="cluster-renew"),
    path("clusters/<int:pk>/drill/", views_drills.drill, name="cluster-drill"),
    path(
        "clusters/<int:pk>/audit-log/entries/",
        views_cluster_audit.found,
        name="cluster-audit-entries",
    ),
    path("clusters/<int:pk>/delete/", views_clusters.delete, name="cluster-delete"),
    path(
        "clusters/<int:pk>/kubeconfig/",
        views_clusters.kubeconfig_page,
        name="cluster-kubeconfig",
    ),
]
