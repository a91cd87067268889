"""The theme and language switches."""

from __future__ import annotations

from django.urls import path

from console.ui import views

app_name = "ui"
urlpatterns = [
    path("settings/theme/", views.theme, name="theme"),
    path("settings/language/", views.language, name="language"),
]
