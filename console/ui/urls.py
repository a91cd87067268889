"""Search, and the theme and language switches."""

from __future__ import annotations

from django.urls import path

from console.ui import views, views_search

app_name = "ui"
urlpatterns = [
    path("search/", views_search.search_page, name="search"),
    path("settings/theme/", views.theme, name="theme"),
    path("settings/language/", views.language, name="language"),
]
