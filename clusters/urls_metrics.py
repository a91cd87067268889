"""The addresses of metrics."""

from __future__ import annotations

from django.urls import path

from clusters import views_metrics as views

urlpatterns = [path("<int:pk>/metrics/data/", views.metrics_data, name="metrics-data")]
