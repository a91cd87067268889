"""What a cluster enforces is said as it is, and never better."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clusters.models import Origin, ResourcePool
from tenancy import enforced, namespace_page
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


@pytest.mark.parametrize("version", ["v1.20.2", "v1.23.0", "v1.34.1", ""])
def test_pod_security_is_not_known_before_it_was_tried(version):
    assert told(version)["pod_security"] == "unknown"


def test_others_old_clusters_are_said_not_to_hold_pods_until_they_prove_it():
    assert told("v1.22.17", Origin.IMPORTED)["pod_security"] == "no"
    proof = {"pod_security": {"state": "yes", "what": ["privileged"], "said": "-"}}
    found = told("v1.22.17", Origin.IMPORTED, proof=proof, proved=timezone.now())
    assert found["pod_security"] == "yes"


@pytest.mark.parametrize("state", ["yes", "no", "unknown"])
def test_what_was_proved_counts_and_not_the_version(state):
    entry = {"state": state, "what": ["privileged"], "said": "the words"}
    proof = {"pod_security": entry, "pool": entry, "addresses": entry}
    found = told("v1.34.1", pool=True, proof=proof, proved=timezone.now())
    assert found["pod_security"] == found["pool"] == found["addresses"] == state


def test_a_proof_of_another_wish_counts_no_more():
    proof = {"pod_security": {"state": "yes", "what": ["privileged"], "said": ""}}
    assert told(proof=proof, proved=None)["pod_security"] == "unknown"


@pytest.mark.parametrize(
    ("version", "origin", "doubts"),
    [("v1.34.1", Origin.PROVISIONED, []), ("v1.20.2", Origin.PROVISIONED, ["unknown"]),
     ("v1.20.2", Origin.IMPORTED, ["no"]), ("", Origin.IMPORTED, ["unknown"])],
)  # fmt: skip
def test_the_form_of_a_new_namespace_says_what_is_to_be_expected(version, origin, doubts):
    cluster = ClusterFactory(version=version, origin=origin)
    found = [one.state for one in namespace_page.doubts(cluster) if one.what == "pod_security"]
    assert found == doubts


def test_isolation_depends_on_the_network_plugin():
    assert told(plugin=True)["isolation"] == "yes"
    assert told(plugin=False)["isolation"] == "no"
    assert told(origin=Origin.IMPORTED)["isolation"] == "unknown"


def test_a_pool_is_not_said_to_hold_pods_where_nobody_knows():
    assert told(pool=True)["pool"] == "unknown"
    assert told(pool=True, origin=Origin.IMPORTED)["pool"] == "unknown"


def test_what_is_not_wanted_is_not_told():
    found = told(isolation="open", pod_security="privileged")
    assert set(found) == {"quota", "rights", "addresses"}
