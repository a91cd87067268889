"""The addresses of resource pools."""

from __future__ import annotations

from django.urls import path

from clusters import views_pools as views

app_name = "pools"
urlpatterns = [
    path("", views.pools, name="list"),
    path("add/", views.pool_add, name="add"),
    path("<int:pk>/", views.pool, name="pool"),
    path("<int:pk>/edit/", views.pool_edit, name="edit"),
    path("<int:pk>/delete/", views.pool_delete, name="delete"),
]
