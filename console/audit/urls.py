"""Addresses of the audit record."""

from __future__ import annotations

from django.urls import include, path

from console.audit import (
    views,
    views_archives,
    views_event,
    views_export,
    views_saved,
    views_verifications,
)

app_name = "audit"

urlpatterns = [
    path("", views.events, name="list"),
    path("proof/", views.proof, name="proof"),
    path("export/", views_export.export, name="export"),
    path("views/", views_saved.views, name="views"),
    path("views/add/", views_saved.add, name="view-add"),
    path("views/<int:pk>/", views_saved.edit, name="view-edit"),
    path("views/<int:pk>/remove/", views_saved.remove, name="view-remove"),
    path("verifications/<int:pk>/", views_verifications.verification, name="verification"),
    path(
        "verifications/<int:pk>/cancel/",
        views_verifications.verification_cancel,
        name="verification-cancel",
    ),
    path("streams/", include("console.audit.streams.urls")),
    path("<int:pk>/", views_event.event, name="event"),
    path("<int:pk>/proof/", views_event.proof, name="event-proof"),
    path("<int:pk>/raw/", views_event.raw, name="event-raw"),
    path("archives/", views_archives.archives, name="archives"),
    path("archives/<int:start>/", views_archives.archive, name="archive"),
    path("archives/<int:start>/download/", views_archives.download, name="archive_download"),
    path("archives/<int:start>/verify/", views_archives.verify, name="archive_verify"),
]
