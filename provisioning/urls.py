"""The pages of hosts, credentials, releases, tasks and of a cluster's operations."""

from __future__ import annotations

from provisioning.urls_clusters import urlpatterns as clusters
from provisioning.urls_credentials import urlpatterns as credentials
from provisioning.urls_drain import urlpatterns as drain
from provisioning.urls_hosts import urlpatterns as hosts
from provisioning.urls_releases import urlpatterns as releases
from provisioning.urls_snapshots import urlpatterns as snapshots
from provisioning.urls_tasks import urlpatterns as tasks

app_name = "provisioning"
urlpatterns = [*clusters, *credentials, *drain, *hosts, *releases, *snapshots, *tasks]
