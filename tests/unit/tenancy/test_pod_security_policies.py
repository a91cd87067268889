"""Which clusters the console binds policies on, and that the recipe knows them by these names."""

from __future__ import annotations

import pytest
import yaml

from clusters.models import Origin
from provisioning.steps import pod_policies
from tenancy import pod_security_policies
from tenancy.models import Namespace, PodSecurity, Tenant
from tests.factories import ClusterFactory


class Untouched:
    """A connection that nobody may use."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was called")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("version", "origin"),
    [("v1.23.0", Origin.PROVISIONED), ("v1.34.1", Origin.PROVISIONED), ("", Origin.PROVISIONED),
     ("v1.21.0", Origin.IMPORTED), ("v1.21.0", Origin.SYSTEM)],
)  # fmt: skip
def test_newer_clusters_and_those_of_others_are_asked_nothing(version, origin):
    cluster = ClusterFactory(version=version, origin=origin)
    tenant = Tenant.objects.create(name="shop", slug="shop")
    row = Namespace.objects.create(tenant=tenant, cluster=cluster, name="web")
    pod_security_policies.keep(cluster, Untouched(), lambda: None)
    pod_security_policies.bind_new(cluster, Untouched(), row)


def test_the_recipe_makes_what_namespaces_are_bound_to():
    made = {
        (body["kind"], body["metadata"]["name"]): body
        for text in (pod_policies.policies(), pod_policies.opening())
        for body in yaml.safe_load_all(text)
    }
    for level in PodSecurity.values:
        policy = f"{pod_security_policies.POLICY}{level}"
        assert ("PodSecurityPolicy", policy) in made
        rules = made["ClusterRole", f"{pod_security_policies.ROLE}{level}"]["rules"]
        assert [rule["resourceNames"] for rule in rules] == [[policy]]
    bound = made["ClusterRoleBinding", pod_security_policies.OPEN]
    assert bound["roleRef"]["name"] == f"{pod_security_policies.ROLE}privileged"
    assert [one["name"] for one in bound["subjects"]] == list(pod_security_policies.EVERYBODY)
    assert bound["metadata"]["labels"] == dict(pod_security_policies.LABELS)


def test_a_cluster_with_pod_security_needs_none():
    assert not pod_policies.versions.POD_SECURITY_POLICY.at(pod_security_policies.NEEDLESS_SINCE)
    assert pod_policies.versions.POD_SECURITY_POLICY.at(pod_security_policies.NEEDLESS_SINCE - 1)
