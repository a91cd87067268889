"""The pages of clusters."""

from __future__ import annotations

from django.urls import include, path

from clusters import urls_imports, urls_kinds, urls_pods, views

app_name = "clusters"
urlpatterns = [
    path("", views.cluster_list, name="list"),
    *urls_imports.urlpatterns,
    path("<int:pk>/", views.cluster_detail, name="detail"),
    path("", include("clusters.urls_metrics")),
    *urls_pods.urlpatterns,
    *urls_kinds.urlpatterns,
    path("", include("clusters.urls_operations")),
    # Behind the others: the last part of an object's address may be any tab.
    path("", include("clusters.urls_objects")),
    path("<int:pk>/<slug:tab>/", views.cluster_detail, name="tab"),
]
