"""Addresses of the audit record."""

from __future__ import annotations

from django.urls import include, path

from console.audit import views, views_event

app_name = "audit"

urlpatterns = [
    path("", views.events, name="list"),
    path("proof/", views.proof, name="proof"),
    path("export/", views.export, name="export"),
    path("streams/", include("console.audit.streams.urls")),
    path("<int:pk>/", views_event.event, name="event"),
    path("<int:pk>/proof/", views_event.proof, name="event-proof"),
    path("<int:pk>/raw/", views_event.raw, name="event-raw"),
]
