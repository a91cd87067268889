"""The addresses of tenants' kubeconfigs."""

from __future__ import annotations

from django.urls import path

from tenancy import views_kubeconfigs as views

app_name = "kubeconfigs"
urlpatterns = [
    path("", views.given, name="list"),
    path("new/<int:pk>/", views.new, name="new"),
    path("<int:pk>/revoke/", views.revoke, name="revoke"),
]
