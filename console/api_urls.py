"""The REST API under /api/v1/: each app registers its own routes."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

import console.audit.api
import provisioning.api_clusters
import provisioning.api_credentials
import provisioning.api_hosts
import provisioning.api_releases
import provisioning.api_snapshots
import provisioning.api_tasks
from console.ui.schema import SchemaView, UnknownRoute

router = DefaultRouter()
router.include_root_view = False
for module in (
    console.audit.api,
    provisioning.api_clusters,
    provisioning.api_credentials,
    provisioning.api_hosts,
    provisioning.api_releases,
    provisioning.api_snapshots,
    provisioning.api_tasks,
):
    module.register(router)

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("", include(router.urls)),
    # Last: what nothing serves is answered with a problem instead of with a page.
    path("<path:rest>", UnknownRoute.as_view(), name="unknown"),
]
