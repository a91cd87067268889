"""The pages of what people do inside clusters."""

from __future__ import annotations

from django.urls import path

from clusters import (
    views_access,
    views_bulk,
    views_manifests,
    views_nodes,
    views_object_edit,
    views_rollout,
    views_workloads,
)
from clusters.object_actions import NODES, SIMPLE
from clusters.several import ACTIONS

OBJECT = "<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>/"

urlpatterns = [
    path("<int:pk>/access/", views_access.access_page, name="access"),
    path("<int:pk>/manifests/", views_manifests.manifests, name="manifests"),
    *(
        path(f"<int:pk>/bulk/{action}/", views_bulk.several, {"action": action}, f"bulk-{action}")
        for action in ACTIONS
    ),
    *(
        path(
            f"{OBJECT}{id_}/",
            views_workloads.simple_on_node
            if action.resources == (NODES,)
            else views_workloads.simple,
            {"action": id_},
            f"object-{id_}",
        )
        for id_, action in SIMPLE.items()
    ),
    path(f"{OBJECT}access/", views_access.of_object, name="object-access"),
    path(f"{OBJECT}scale/", views_workloads.scale_object, name="object-scale"),
    path(f"{OBJECT}delete/", views_workloads.delete_object, name="object-delete"),
    path(f"{OBJECT}edit/", views_object_edit.edit, name="object-edit"),
    path(f"{OBJECT}marks/", views_nodes.edit_marks, name="object-marks"),
    path(f"{OBJECT}rollout/", views_rollout.rollout, name="object-rollout"),
    path(f"{OBJECT}rollout/state/", views_rollout.rollout_state, name="object-rollout-state"),
    path(
        f"{OBJECT}rollout/<int:revision>/", views_rollout.roll_back, name="object-rollback"
    ),
]  # fmt: skip
