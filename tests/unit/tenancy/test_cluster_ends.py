"""A cluster that is deleted or forgotten: tenants' namespaces on it are named, freed and told."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from clusters import ending
from clusters.models import Cluster, Origin, ResourcePool
from console.accounts.models import User
from console.audit.models import AuditEvent
from console.notices.catalogue import sentence
from console.notices.models import Notice
from console.notices.reading import visible_notices
from tenancy import quotas, request_actions
from tenancy.models import GivenKubeconfig, Namespace, Tenant, TenantCluster
from tenancy.request_actions import Wish
from tests.conftest import with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.namespace_rows import limited, namespace_of, tenant_of
from tests.unit.tenancy.people import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def edge() -> Cluster:
    return ClusterFactory(name="edge", origin=Origin.IMPORTED)


@pytest.fixture
def shop(edge: Cluster) -> Tenant:
    """A tenant with a namespace in a pool, one without, and one on another cluster."""
    tenant = tenant_of(edge)
    limited(tenant, pods="10")
    pool = ResourcePool.objects.create(cluster=edge, name="gold")
    namespace_of(tenant, edge, "web", pool=pool, quota={"pods": "4"})
    namespace_of(tenant, edge, "jobs", quota={"pods": "3"})
    other = ClusterFactory(name="core")
    TenantCluster.objects.create(tenant=tenant, cluster=other)
    namespace_of(tenant, other, "kept", quota={"pods": "2"})
    member(tenant, "owner", "olga")
    member(tenant, "developer", "dora")
    return tenant


def forgotten(client: Client, edge: Cluster) -> None:
    answer = client.post(f"/clusters/{edge.pk}/forget/", {"confirm_name": "edge"})
    assert answer.status_code == 302, answer.content.decode()[:2000]


def test_before_it_is_forgotten_the_page_names_the_namespaces(
    admin_client: Client, edge: Cluster, shop: Tenant
) -> None:
    text = admin_client.get(f"/clusters/{edge.pk}/forget/").content.decode()
    for name in ("web", "jobs"):
        assert f"The namespace {name} of the tenant Shop (2 members), as it is" in text
    assert "namespace kept" not in text
    refused = admin_client.post(f"/clusters/{edge.pk}/forget/", {"confirm_name": "wrong"})
    assert refused.status_code == 200 and Cluster.objects.filter(pk=edge.pk).exists()


def test_before_it_is_deleted_the_page_names_the_namespaces(
    admin_client: Client, edge: Cluster, shop: Tenant
) -> None:
    Cluster.objects.filter(pk=edge.pk).update(origin=Origin.PROVISIONED)
    text = admin_client.get(f"/clusters/{edge.pk}/delete/").content.decode()
    assert "The namespace web of the tenant Shop (2 members)" in text


def test_rest_names_them_and_no_member_of_a_tenant_may_ask(
    admin_api: APIClient, edge: Cluster, shop: Tenant
) -> None:
    path = f"/api/v1/clusters/{edge.pk}/dependents/"
    assert admin_api.get(path).json() == [
        {"tenant": "Shop", "namespace": "jobs", "members": 2},
        {"tenant": "Shop", "namespace": "web", "members": 2},
    ]
    assert with_token(User.objects.get(username="olga")).get(path).status_code == 404


def test_many_are_counted_rather_than_named(edge: Cluster, shop: Tenant) -> None:
    for number in range(30):
        namespace_of(shop, edge, f"many-{number}")
    said = ending.in_words(edge)
    assert len(said) == 21 and said[-1] == "12 more namespaces of tenants"


def test_forgetting_frees_the_quota_and_leaves_no_row(
    admin_client: Client, edge: Cluster, shop: Tenant
) -> None:
    assert quotas.taken(shop, None)["pods"] == 9
    forgotten(admin_client, edge)
    assert not Cluster.objects.filter(pk=edge.pk).exists()
    assert list(Namespace.objects.values_list("name", flat=True)) == ["kept"]
    assert quotas.taken(shop, None)["pods"] == 2
    assert not GivenKubeconfig.objects.exists()
    events = AuditEvent.objects.filter(action="namespace.released")
    assert {event.object_name for event in events} == {"web", "jobs"}


def test_the_tenants_people_are_told_and_a_stranger_is_not(
    admin_client: Client, edge: Cluster, shop: Tenant
) -> None:
    stranger = member(tenant_of(ClusterFactory(), "other"), "owner", "stranger")
    forgotten(admin_client, edge)
    for name in ("olga", "dora"):
        person = User.objects.get(username=name)
        (notice,) = visible_notices(person).filter(kind="tenant.cluster_forgotten")
        text = sentence(notice.kind, notice.values)
        assert "edge" in text and "jobs, web" in text and "stay on it" in text
    assert not visible_notices(stranger).filter(kind="tenant.cluster_forgotten").exists()


def test_a_deleted_cluster_is_told_as_such(edge: Cluster, shop: Tenant) -> None:
    ending.remove(edge, stays=False)
    notice = Notice.objects.get(kind="tenant.cluster_deleted")
    assert "was deleted" in sentence(notice.kind, notice.values)
    assert AuditEvent.objects.filter(action="namespace.removed").count() == 2


def test_what_waits_for_an_answer_about_it_waits_no_longer(edge: Cluster, shop: Tenant) -> None:
    olga = User.objects.get(username="olga")
    wish = Wish("namespace", cluster=edge, wish={"name": "more"})
    request_actions.ask(shop, wish, by=olga)
    ending.remove(edge, stays=True)
    assert Notice.objects.get(kind="request.open").resolved is not None


def test_rest_answers_what_stays_there(admin_api: APIClient, edge: Cluster, shop: Tenant) -> None:
    answer = admin_api.post(
        f"/api/v1/clusters/{edge.pk}/forget/",
        {"clean_up": False},
        format="json",
    )
    assert answer.status_code == 200, answer.content
    assert [one["namespace"] for one in answer.json()["tenant_namespaces"]] == ["jobs", "web"]
