"""The websockets of clusters."""

from __future__ import annotations

from django.urls import path

from clusters.consumers_changes import ChangesConsumer
from clusters.consumers_exec import ExecConsumer
from clusters.consumers_logs import LogConsumer

POD = "ws/clusters/<int:pk>/pods/<str:namespace>/<str:name>"
WORKLOAD = "ws/clusters/<int:pk>/workloads/<str:resource>/<str:namespace>/<str:name>"

websocket_urlpatterns = [
    path("ws/clusters/changes/", ChangesConsumer.as_asgi()),
    path(f"{POD}/log/", LogConsumer.as_asgi()),
    path(f"{WORKLOAD}/log/", LogConsumer.as_asgi()),
    path(f"{POD}/exec/", ExecConsumer.as_asgi()),
]
