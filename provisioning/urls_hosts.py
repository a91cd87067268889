"""Addresses of the pages of hosts."""

from __future__ import annotations

from django.urls import path

from provisioning import views_hosts as views

urlpatterns = [
    path("hosts/", views.hosts, name="hosts"),
    path("hosts/add/", views.host_add, name="host-add"),
    path("hosts/add/many/", views.host_add_many, name="host-add-many"),
    path("hosts/check/", views.hosts_check, name="hosts-check"),
    path("hosts/<int:pk>/", views.host, name="host"),
    path("hosts/<int:pk>/trust/", views.host_trust, name="host-trust"),
    path("hosts/<int:pk>/check/", views.host_check, name="host-check"),
    path("hosts/<int:pk>/clean-up/", views.host_clean_up, name="host-clean-up"),
    path(
        "hosts/<int:pk>/clean-up/forget/",
        views.host_forget_clean_up,
        name="host-forget-clean-up",
    ),
    path("hosts/<int:pk>/edit/", views.host_edit, name="host-edit"),
    path("hosts/<int:pk>/remove/", views.host_remove, name="host-remove"),
]
