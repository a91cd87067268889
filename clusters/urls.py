"""The pages of clusters."""

from __future__ import annotations

from django.urls import path

from clusters import views

app_name = "clusters"
urlpatterns = [
    path("", views.cluster_list, name="list"),
    path("<int:pk>/", views.cluster_detail, name="detail"),
    path("<int:pk>/<slug:tab>/", views.cluster_detail, name="tab"),
]
