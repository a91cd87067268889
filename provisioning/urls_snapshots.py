"""Addresses of the pages of snapshots."""

from __future__ import annotations

from django.urls import path

from provisioning import views_snapshots as views

urlpatterns = [
    path("clusters/<int:pk>/snapshots/take/", views.take, name="snapshot-take"),
    path("clusters/<int:pk>/snapshots/schedule/", views.schedule, name="snapshot-schedule"),
    path("snapshots/<int:pk>/download/", views.download, name="snapshot-download"),
    path("snapshots/<int:pk>/delete/", views.delete, name="snapshot-delete"),
    path("snapshots/<int:pk>/restore/", views.restore, name="snapshot-restore"),
]
