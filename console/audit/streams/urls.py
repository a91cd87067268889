"""Addresses of the streams' pages, below /audit/streams/."""

from __future__ import annotations

from django.urls import path

from console.audit.streams import views

urlpatterns = [
    path("", views.streams, name="streams"),
    path("add/<str:kind>/", views.add, name="stream-add"),
    path("<int:pk>/edit/", views.edit, name="stream-edit"),
    path("<int:pk>/remove/", views.remove, name="stream-remove"),
    path("<int:pk>/pause/", views.pause, name="stream-pause"),
    path("<int:pk>/resume/", views.resume, name="stream-resume"),
    path("<int:pk>/secret/", views.secret, name="stream-secret"),
    path("<int:pk>/test/", views.test, name="stream-test"),
]
