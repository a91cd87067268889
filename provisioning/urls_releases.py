"""Addresses of the pages of releases."""

from __future__ import annotations

from django.urls import path

from provisioning import views_releases as views

urlpatterns = [
    path("settings/releases/", views.releases, name="releases"),
    path("settings/releases/add/", views.release_add, name="release-add"),
    path("settings/releases/<int:pk>/", views.release, name="release"),
    path("settings/releases/<int:pk>/verify/", views.release_verify, name="release-verify"),
    path("settings/releases/<int:pk>/retry/", views.release_retry, name="release-retry"),
    path("settings/releases/<int:pk>/remove/", views.release_remove, name="release-remove"),
]
