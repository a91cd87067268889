"""Pages below the address of a pod or a workload."""

from __future__ import annotations

from django.urls import path

from clusters import views_logs, views_terminal

OBJECT = "<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>"

urlpatterns = [
    path(f"{OBJECT}/log/", views_logs.logs_page, name="logs"),
    path(f"{OBJECT}/log.txt", views_logs.log_text, name="log-text"),
    path(f"{OBJECT}/terminal/", views_terminal.terminal, name="terminal"),
]
