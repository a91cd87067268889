"""Addresses of tasks: the list, a task's page, its state, its log as text."""

from __future__ import annotations

from django.urls import path

from provisioning import views_tasks

urlpatterns = [
    path("tasks/", views_tasks.tasks, name="tasks"),
    path("tasks/<int:pk>/", views_tasks.task, name="task"),
    path("tasks/<int:pk>/state/", views_tasks.state, name="task-state"),
    path("tasks/<int:pk>/cancel/", views_tasks.cancel, name="task-cancel"),
    path("tasks/<int:pk>/retry/", views_tasks.retry, name="task-retry"),
    path("tasks/<int:pk>/log.txt", views_tasks.log_text, name="task-log-text"),
]
