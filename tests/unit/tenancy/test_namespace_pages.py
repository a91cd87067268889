"""The pages on which a tenant's people make, change and delete their namespaces."""

from __future__ import annotations

import pytest

from clusters.models import ClusterEvent, ClusterStatus, ResourcePool
from console.audit.models import AuditEvent
from tenancy.models import Namespace, NamespaceState, TenantCluster
from tests.conftest import signed_in
from tests.factories import ClusterFactory, ObjectFactory
from tests.unit.tenancy.namespace_rows import (
    FORM,
    limited,
    member,
    namespace_of,
    seen,
    tenant_of,
)


@pytest.fixture
def cluster(db):
    return ClusterFactory(name="east")


@pytest.fixture
def shop(cluster):
    return tenant_of(
        cluster,
        defaults={
            "quota": {"requests.cpu": "2", "pods": "20"},
            "limits": {"cpu": {"request": "100m", "limit": "1"}},
        },
    )


@pytest.fixture
def owner(shop, admin):
    return signed_in(member(shop, "owner", admin))


def send(client, shop, **fields):
    place = shop.clusters.get().pk
    return client.post("/namespaces/add/", {"place": place, "name": "web", **FORM, **fields})


def test_who_has_none_is_told_what_to_do(shop, owner, nobody_client, admin_client) -> None:
    assert "You belong to no tenant" in nobody_client.get("/namespaces/").content.decode()
    page = owner.get("/namespaces/").content.decode()
    assert "No namespaces yet" in page and "Create namespace" in page
    TenantCluster.objects.all().delete()
    page = owner.get("/namespaces/").content.decode()
    assert "once the tenant has been given a cluster" in page and "Create namespace" not in page
    assert "nowhere to create one" in owner.get("/namespaces/add/").content.decode()


def test_a_namespace_is_made_within_the_quota(shop, cluster, owner) -> None:
    limited(shop, requests_cpu="4", pods="50")
    namespace_of(shop, cluster, "old", quota={"requests.cpu": "1", "pods": "10"})
    page = owner.get("/namespaces/add/").content.decode()
    assert "3 CPU of 4 CPU left over all clusters" in page
    assert "40 of 50 left over all clusters" in page
    assert 'name="quota.requests.cpu" value="2"' in page, "the tenant's defaults are there"
    assert 'name="limits.cpu.request" value="100m"' in page
    response = send(
        owner, shop, **{
            "quota.requests.cpu": "2500m", "quota.pods": "20", "limits.cpu.limit": "0.5",
            "labels": "team=web", "exceptions": "ingress-controller\nnamespace db in 5432",
            "isolation": "namespace", "description": "the shop's pages",
        },
    )  # fmt: skip
    made = Namespace.objects.get(name="web")
    assert response["Location"] == f"/namespaces/{made.pk}/"
    assert made.quota == {"requests.cpu": "2500m", "pods": "20"}
    assert made.limits == {"cpu": {"limit": "0.5"}}
    assert made.exceptions == [
        {"kind": "ingress-controller", "direction": "in", "ports": []},
        {
            "kind": "namespace", "namespace": "db", "direction": "in",
            "ports": [{"port": 5432, "protocol": "TCP"}],
        },
    ]  # fmt: skip
    assert (made.state, made.revision, made.applied_revision) == ("pending", 1, 0)
    assert (made.labels, made.adopted) == ({"team": "web"}, False)
    event = AuditEvent.objects.get(action="namespace.created")
    assert (event.actor_name, event.object_name) == ("shop-owner", "web")
    assert event.after["quota"] == {"requests.cpu": "2500m", "pods": "20"}
    page = owner.get(response["Location"]).content.decode()
    assert "It is being made on east" in page and "team=web" in page
    assert "namespace db" in page and "5432/TCP" in page


def test_what_is_short_stands_beside_its_field_and_nothing_typed_is_lost(
    shop, cluster, owner
) -> None:
    limited(shop, requests_cpu="4", pods="50")
    limited(shop, cluster, requests_cpu="3")
    namespace_of(shop, cluster, "old", quota={"requests.cpu": "1", "pods": "10"})
    page = send(owner, shop, **{"quota.requests.cpu": "3500m", "labels": "team=web"})
    text = page.content.decode()
    assert "1.5 CPU short" in text and "0.5 CPU short" in text
    assert "pods must be stated" in text
    assert 'value="3500m"' in text and "team=web</textarea>" in text
    assert not Namespace.objects.filter(name="web").exists()


def test_the_number_of_namespaces_is_limited_too(shop, cluster, owner) -> None:
    limited(shop, namespaces="1")
    assert "1 of 1 left over all clusters" in owner.get("/namespaces/add/").content.decode()
    assert send(owner, shop).status_code == 302
    again = send(owner, shop, name="second").content.decode()
    assert "1 short" in again
    assert Namespace.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("name", "Web!", "lower-case letters"),
        ("name", "default", "kept for Kubernetes"),
        ("name", "kube-public", "kept for Kubernetes"),
        ("name", "flotilla-x", "kept for Kubernetes"),
        ("name", "there", "is on east already"),
        ("name", "taken", "is taken on east"),
        ("quota.requests.cpu", "-1", "cannot be negative"),
        ("quota.requests.cpu", "NaN", "no amount of CPU"),
        ("quota.pods", "1.5", "whole number"),
        ("quota.requests.memory", "2 gigs", "no amount of bytes"),
        ("limits.cpu.request", "much", "no amount of CPU"),
        ("labels", "flotilla.dev/tenant=bank", "belongs to Kubernetes or to Flotilla"),
        ("labels", "pod-security.kubernetes.io/enforce=privileged", "belongs to Kubernetes"),
        ("exceptions", "everybody", "begins with none of"),
        ("exceptions", "cidr 10.0.0.1/8", "is no network"),
        ("exceptions", "monitoring web", ""),
        ("exceptions", "namespace", "namespace"),
        ("exceptions", "cidr 10.0.0.0/8 port80", "is no port"),
        ("exceptions", "cidr 10.0.0.0/8 70000", "from 1 to 65535"),
        ("isolation", "none", "Select a valid choice"),
        ("pod_security", "privileged", "Select a valid choice"),
        ("pool", "987654", "Select a valid choice"),
    ],
)
def test_bad_input_is_refused_at_its_field(shop, cluster, owner, field, text, said) -> None:
    seen(cluster, "there")
    namespace_of(tenant_of(cluster, "bank"), cluster, "taken")
    answer = send(owner, shop, **{field: text})
    if not said:
        assert answer.status_code == 302
        return
    page = answer.content.decode()
    assert answer.status_code == 200 and said in page.split("<form")[-1]
    assert not Namespace.objects.filter(tenant=shop).exists()


def test_a_limit_below_its_request_is_refused(shop, owner) -> None:
    page = send(
        owner, shop,
        **{
            "quota.requests.cpu": "2", "quota.limits.cpu": "1",
            "limits.memory.request": "2Gi", "limits.memory.limit": "1Gi",
        },
    ).content.decode()  # fmt: skip
    assert page.count("is below") == 2


def test_a_grant_of_some_pools_is_for_these_alone(shop, cluster, owner) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold")
    silver = ResourcePool.objects.create(cluster=cluster, name="silver")
    foreign = ResourcePool.objects.create(cluster=ClusterFactory(), name="foreign")
    assert send(owner, shop, name="a", pool=silver.pk).status_code == 302, "all of the cluster"
    assert send(owner, shop, name="b", pool=foreign.pk).status_code == 200
    shop.clusters.get().pools.add(gold)
    assert "This field is required" in send(owner, shop, name="c").content.decode()
    assert send(owner, shop, name="c", pool=silver.pk).status_code == 200
    assert send(owner, shop, name="c", pool=gold.pk).status_code == 302
    gold.refresh_from_db()
    assert gold.namespaces == ["c"], "the pool has the namespace by name"


def test_a_change_is_a_new_revision_and_an_unchanged_form_is_none(shop, cluster, owner) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold", namespaces=["web", "x"])
    limited(shop, requests_cpu="4")
    row = namespace_of(
        shop, cluster, quota={"requests.cpu": "3"}, state="applied", applied_revision=1, pool=gold
    )
    same = {**FORM, "quota.requests.cpu": "3", "pool": gold.pk}
    assert owner.post(f"/namespaces/{row.pk}/edit/", same).status_code == 302
    row.refresh_from_db()
    assert (row.revision, row.state) == (1, "applied")
    page = owner.post(f"/namespaces/{row.pk}/edit/", {**same, "quota.requests.cpu": "5"})
    assert "1 CPU short" in page.content.decode()
    changed = {**same, "quota.requests.cpu": "4", "pool": "", "name": "other"}
    assert owner.post(f"/namespaces/{row.pk}/edit/", changed).status_code == 302
    row.refresh_from_db()
    gold.refresh_from_db()
    assert (row.name, row.quota, row.pool) == ("web", {"requests.cpu": "4"}, None)
    assert (row.revision, row.applied_revision, row.state) == (2, 1, "pending")
    assert gold.namespaces == ["x"]
    event = AuditEvent.objects.get(action="namespace.changed")
    assert (event.before["quota"], event.after["pool"]) == ({"requests.cpu": "3"}, "")
    assert "on its way to east" in owner.get(f"/namespaces/{row.pk}/").content.decode()


def test_a_cluster_that_is_away_is_said_and_nothing_is_lost(shop, cluster, owner) -> None:
    cluster.set_status(ClusterStatus.UNREACHABLE, "no route")
    assert "does not answer now" in owner.get("/namespaces/add/").content.decode()
    assert send(owner, shop).status_code == 302
    row = Namespace.objects.get()
    page = owner.get(f"/namespaces/{row.pk}/").content.decode()
    assert "done as soon as it is back" in page and "hx-get" in page


def test_deleting_names_what_goes_and_asks_for_the_name(shop, cluster, owner) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold", namespaces=["web"])
    row = namespace_of(shop, cluster, pool=gold, applied_revision=1)
    ObjectFactory(cluster=cluster, namespace="web")
    ObjectFactory(
        cluster=cluster, namespace="web", name="orders-db", kind="PersistentVolumeClaim",
        resource="persistentvolumeclaims", api_version="v1",
    )  # fmt: skip
    ObjectFactory(cluster=cluster, namespace="other", kind="Secret")
    address = f"/namespaces/{row.pk}/delete/"
    page = owner.get(address).content.decode()
    assert "volume claims: orders-db" in page and "Deployment: 1" in page
    assert "Secret" not in page
    owner.post(address, {"confirm_name": "wrong"})
    assert Namespace.objects.get().state == NamespaceState.PENDING
    assert owner.post(address, {"confirm_name": "web"}).status_code == 302
    row.refresh_from_db()
    gold.refresh_from_db()
    assert (row.state, row.pool, gold.namespaces) == (NamespaceState.DELETING, None, [])
    assert AuditEvent.objects.filter(action="namespace.removed").count() == 1
    row.remaining = ["pods/web: finalizer example.com/hold"]
    row.save()
    page = owner.get(f"/namespaces/{row.pk}/").content.decode()
    assert "It still waits for" in page and "finalizer example.com/hold" in page
    # What leaves is not changed any more, and counts until it is gone.
    assert owner.post(f"/namespaces/{row.pk}/edit/", FORM).status_code == 302
    row.refresh_from_db()
    assert row.state == NamespaceState.DELETING
    owner.post(address, {"confirm_name": "web"})
    assert AuditEvent.objects.filter(action="namespace.removed").count() == 1


def test_the_page_tells_who_reaches_whom_and_never_calls_unknown_enforced(
    shop, cluster, owner
) -> None:
    row = namespace_of(shop, cluster, isolation="strict", state="applied", applied_revision=1)
    ClusterEvent.objects.create(
        cluster=cluster, uid="e1", namespace="web", reason="FailedCreate", warning=True,
        message="exceeded quota <b>", about_kind="ReplicaSet", about_name="web-1",
    )  # fmt: skip
    ClusterEvent.objects.create(cluster=cluster, uid="e2", namespace="other", message="not mine")
    page = owner.get(f"/namespaces/{row.pk}/").content.decode()
    assert "Not enforced." in page and "everybody can still talk to these pods" in page
    assert "not allowed" in page and "DNS" in page and "probes of its nodes" in page
    assert "exceeded quota &lt;b&gt;" in page and "not mine" not in page
    cluster.enforces_network_policy = True
    cluster.save()
    page = owner.get(f"/namespaces/{row.pk}/").content.decode()
    assert "Not enforced." not in page and "The network plug-in enforces" in page
    cluster.origin, cluster.enforces_network_policy = "imported", False
    cluster.save()
    page = owner.get(f"/namespaces/{row.pk}/").content.decode()
    assert "Not known to be enforced." in page
    page = owner.get("/namespaces/add/").content.decode()
    assert "Whether the network plug-in enforces NetworkPolicy is not known" in page


def test_use_against_the_quota_is_in_the_list(
    shop, cluster, owner, django_assert_max_num_queries
) -> None:
    cluster.seen = cluster.created
    cluster.save()
    for number in range(30):
        namespace_of(shop, cluster, f"n{number:02}", quota={"requests.cpu": "2", "pods": "1"})
        ObjectFactory(
            cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace="n07",
            summary={"phase": "Running", "cpu_request": 0.05},
        )  # fmt: skip
    with django_assert_max_num_queries(17):
        page = owner.get("/namespaces/").content.decode()
    row = page.split(">n07<")[1].split("</tr>")[0]
    assert "1.5 CPU" in row and "of 2 CPU" in row and "full" in row
    assert "n07" in owner.get("/namespaces/?q=n07").content.decode()
    assert "No namespace matches" in owner.get("/namespaces/?state=failed").content.decode()


def test_a_place_that_is_not_ones_own_is_absent(shop, cluster, owner) -> None:
    bank = tenant_of(cluster, "bank")
    for number in (bank.clusters.get().pk, 987654, "x"):
        assert owner.get(f"/namespaces/add/?place={number}").status_code == 404
        answer = owner.post("/namespaces/add/", {"place": number, "name": "web", **FORM})
        assert answer.status_code == 404
    assert not Namespace.objects.exists()
