"""The websockets of provisioning."""

from __future__ import annotations

from django.urls import path

from provisioning.consumers import TaskLogConsumer

websocket_urlpatterns = [
    path("ws/tasks/<int:task_id>/log/", TaskLogConsumer.as_asgi()),
]
