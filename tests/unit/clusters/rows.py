"""Rows that point at the local API server."""

from __future__ import annotations

from clusters.models import Cluster
from tests.factories import ClusterFactory, ClusterSecretFactory
from tests.unit.clusters.apiserver import ApiServer


def cluster_of(server: ApiServer, **fields: object) -> Cluster:
    """A cluster whose endpoint and credentials are those of the server."""
    cluster = ClusterFactory(endpoint=server.endpoint, **fields)
    certificate, key = server.authority.client()
    ClusterSecretFactory(cluster=cluster, name="ca/kubernetes.crt", value=server.authority.crt)
    ClusterSecretFactory(cluster=cluster, name="console/client.crt", value=certificate)
    ClusterSecretFactory(cluster=cluster, name="console/client.key", value=key)
    return cluster
