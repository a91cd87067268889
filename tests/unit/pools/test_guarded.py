"""Namespaces of the cluster and of the console are bound to no pool."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from clusters.models import Cluster, ResourcePool
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory

pytestmark = pytest.mark.django_db
GUARDED = ("kube-system", "kube-public", "kube-node-lease", "flotilla", "vault", "console")


@pytest.fixture
def cluster(settings) -> Cluster:
    settings.GUARDED_NAMESPACES = frozenset({"vault"})
    return ClusterFactory(console_namespace="console")


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_name_is_refused_beside_its_field(
    cluster: Cluster, admin_client: Client, admin_api: APIClient, name: str
) -> None:
    path = f"/pools/add/?cluster={cluster.pk}"
    sent = {"cluster": str(cluster.pk), "name": "gold", "namespaces": f"shop {name}"}
    text = admin_client.post(path, sent).content.decode()
    assert 'id="id_namespaces_error"' in text and f"“{name}” is a namespace of the cluster" in text
    body = {"cluster": cluster.pk, "name": "gold", "namespaces": ["shop", name]}
    answer = admin_api.post("/api/v1/pools/", body, format="json")
    assert answer.status_code == 400 and name in str(answer.json()["errors"]["namespaces"])
    assert not ResourcePool.objects.exists()


def test_a_pool_that_has_one_from_before_is_changed_once_it_is_taken_out(
    cluster: Cluster, admin_api: APIClient
) -> None:
    row = ResourcePool.objects.create(
        cluster=cluster, name="gold", namespaces=["kube-system", "shop"]
    )
    path = f"/api/v1/pools/{row.pk}/"
    refused = admin_api.patch(path, {"description": "fast"}, format="json")
    assert refused.status_code == 400 and "namespaces" in refused.json()["errors"]
    assert not AuditEvent.objects.filter(action="pool.changed").exists()
    done = admin_api.patch(path, {"namespaces": ["shop"]}, format="json")
    assert done.status_code == 200 and done.json()["namespaces"] == ["shop"]
