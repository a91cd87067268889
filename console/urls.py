"""Every page of the console: the composition root of its addresses."""

from __future__ import annotations

from django.urls import include, path

from console.health import healthz
from console.overview import overview

urlpatterns = [
    path("", overview, name="overview"),
    path("healthz", healthz, name="healthz"),
    path("", include("console.accounts.urls")),
    path("", include("console.ui.urls")),
    path("audit/", include("console.audit.urls")),
    path("", include("console.notices.urls")),
    # provisioning first: "clusters/create/" must not be read as a cluster's page.
    path("", include("provisioning.urls")),
    path("clusters/", include("clusters.urls")),
    path("pools/", include("clusters.urls_pools")),
    path("tenants/", include("tenancy.urls")),
    path("kubeconfigs/", include("tenancy.urls_kubeconfigs")),
    path("requests/", include("tenancy.urls_requests")),
    path("namespaces/", include("tenancy.urls_namespaces")),
    path("api/v1/", include(("console.api_urls", "api"))),
]

handler500 = "console.ui.errors.server_error"
