"""The pages of objects, and what lists of them keep."""

from __future__ import annotations

from django.urls import path

from clusters import views_lists, views_objects

_OBJECT = "<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>/"

urlpatterns = [
    path("columns/", views_lists.columns, name="columns"),
    path(_OBJECT, views_objects.object_page, name="object"),
    # Last of what lies below an object: pages of other modules come before it.
    path(f"{_OBJECT}<slug:tab>/", views_objects.object_page, name="object-tab"),
]
