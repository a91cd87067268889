"""The pages that launch tasks inside clusters."""

from __future__ import annotations

from django.urls import path

from provisioning import views_drain

urlpatterns = [
    path(
        "clusters/<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>/drain/",
        views_drain.drain,
        name="object-drain",
    ),
    path("clusters/<int:pk>/manifests/task/", views_drain.manifests, name="cluster-manifests"),
]
