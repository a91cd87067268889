"""What a cluster enforces is said as it is, and never better."""

from __future__ import annotations

import pytest

from clusters.models import Origin, ResourcePool
from tenancy import enforced
from tenancy.models import Namespace, Tenant
from tests.factories import ClusterFactory

pytestmark = pytest.mark.django_db


def told(version="v1.31.0", origin=Origin.PROVISIONED, plugin=False, pool=False, **fields):
    cluster = ClusterFactory(version=version, origin=origin, enforces_network_policy=plugin)
    tenant = Tenant.objects.create(name=cluster.name, slug=cluster.name)
    if pool:
        fields["pool"] = ResourcePool.objects.create(cluster=cluster, name="gold")
    row = Namespace.objects.create(tenant=tenant, cluster=cluster, name="web", **fields)
    return {one.what: one.state for one in enforced.of(row)}


@pytest.mark.parametrize(
    ("version", "state"),
    [("v1.20.2", "no"), ("v1.22.17", "no"), ("v1.23.0", "yes"), ("v1.34.1", "yes"), ("", "unknown")]
)  # fmt: skip
def test_pod_security_depends_on_the_version(version, state):
    assert told(version)["pod_security"] == state


def test_isolation_depends_on_the_network_plugin():
    assert told(plugin=True)["isolation"] == "yes"
    assert told(plugin=False)["isolation"] == "no"
    assert told(origin=Origin.IMPORTED)["isolation"] == "unknown"


def test_a_pool_is_not_said_to_hold_pods_where_nobody_knows():
    assert told(pool=True)["pool"] == "no"
    assert told(pool=True, origin=Origin.IMPORTED)["pool"] == "unknown"


def test_what_is_not_wanted_is_not_told():
    found = told(isolation="open", pod_security="privileged")
    assert set(found) == {"quota", "rights"}
