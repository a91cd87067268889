"""The REST API under /api/v1/: each app registers its own routes."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

import clusters.api_attention
import clusters.api_imports
import clusters.api_metrics
import clusters.api_pods
import clusters.api_pools
import console.audit.api
import console.audit.api_archives
import console.audit.api_verifications
import console.audit.streams.api
import console.notices.api
import console.notices.api_expiry
import provisioning.api_clusters
import provisioning.api_credentials
import provisioning.api_hosts
import provisioning.api_releases
import provisioning.api_snapshots
import provisioning.api_tasks
import tenancy.api
import tenancy.api_audit
import tenancy.api_grants
import tenancy.api_kubeconfigs
import tenancy.api_members
import tenancy.api_namespaces
import tenancy.api_requests
from console.ui.api_search import SearchView
from console.ui.schema import SchemaView, UnknownRoute

router = DefaultRouter()
router.include_root_view = False
for module in (
    clusters.api_imports,  # before clusters/{id}/, which would take "import" for a number
    clusters.api_metrics,
    clusters.api_pools,
    console.audit.api,
    console.audit.streams.api,
    console.audit.api_archives,
    console.audit.api_verifications,
    console.notices.api,
    provisioning.api_clusters,
    provisioning.api_credentials,
    provisioning.api_hosts,
    provisioning.api_releases,
    provisioning.api_snapshots,
    provisioning.api_tasks,
    tenancy.api,
    tenancy.api_audit,
    tenancy.api_grants,
    tenancy.api_members,
    tenancy.api_kubeconfigs,
    tenancy.api_requests,
    tenancy.api_namespaces,
):
    module.register(router)

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("attention/", clusters.api_attention.FleetAttentionView.as_view(), name="attention"),
    path(
        "clusters/<int:pk>/attention/",
        clusters.api_attention.ClusterAttentionView.as_view(),
        name="cluster-attention",
    ),
    path("expiry/", console.notices.api_expiry.ExpiryView.as_view(), name="expiry"),
    path("search/", SearchView.as_view(), name="search"),
    path(
        "clusters/<int:pk>/pods/<str:namespace>/<str:name>/log/",
        clusters.api_pods.PodLogView.as_view(),
        name="pod-log",
    ),
    path("", include(router.urls)),
    # What people do inside clusters.
    path("", include("clusters.api_operations")),
    path("", include("clusters.api_edit")),
    path("", include("clusters.api_marks")),
    path("", include("clusters.api_bulk")),
    path("", include("clusters.api_kinds")),
    path("", include("provisioning.api_drain")),
    # Last: what nothing serves is answered with a problem instead of with a page.
    path("<path:rest>", UnknownRoute.as_view(), name="unknown"),
]
