"""Addresses of the pages of SSH credentials."""

from __future__ import annotations

from django.urls import path

from provisioning import views_credentials as views

urlpatterns = [
    path("settings/credentials/", views.credentials, name="credentials"),
    path("settings/credentials/add/", views.credential_add, name="credential-add"),
    path("settings/credentials/paste/", views.credential_paste, name="credential-paste"),
    path("settings/credentials/<int:pk>/", views.credential, name="credential"),
    path("settings/credentials/<int:pk>/edit/", views.credential_edit, name="credential-edit"),
    path(
        "settings/credentials/<int:pk>/remove/", views.credential_remove, name="credential-remove"
    ),
]
