"""The pages of a cluster's operations."""

from __future__ import annotations

from django.urls import path

from provisioning import views_clusters

urlpatterns = [
    path("clusters/create/", views_clusters.create, name="cluster-create"),
    path("clusters/<int:pk>/repair/", views_clusters.repair, name="cluster-repair"),
    path("clusters/<int:pk>/delete/", views_clusters.delete, name="cluster-delete"),
    path(
        "clusters/<int:pk>/kubeconfig/",
        views_clusters.kubeconfig_page,
        name="cluster-kubeconfig",
    ),
]
