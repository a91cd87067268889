"""Tenants on pages and over REST: made, changed, frozen, given clusters and quotas, deleted."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from clusters.models import ResourcePool
from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy.models import Namespace, Quota, Tenant, TenantCluster
from tenancy.permissions import RIGHTS, rights
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.people import make_tenant, member

pytestmark = pytest.mark.django_db
ADD = "/tenants/add/"
VALID = {"name": "Shop", "slug": "shop", "isolation": "tenant", "pod_security": "baseline"}


@pytest.fixture
def shop() -> Tenant:
    return make_tenant()


def given(shop: Tenant, *pools: ResourcePool) -> TenantCluster:
    cluster = pools[0].cluster if pools else ClusterFactory(name="north")
    row = TenantCluster.objects.create(tenant=shop, cluster=cluster)
    row.pools.set(pools)
    return row


class TestMaking:
    def test_an_admin_makes_a_tenant_with_an_owner(
        self, admin_client: Client, nobody: User
    ) -> None:
        sent = VALID | {
            "owner": "nemo", "registries": "registry.example.com/shop\nghcr.io",
            "defaults.quota.requests.cpu": "1.5", "defaults.limits.cpu.request": "100m",
            "defaults.limits.cpu.limit": "1",
        }  # fmt: skip
        answer = admin_client.post(ADD, sent)
        assert answer["Location"] == "/tenants/shop/clusters/"
        shop = Tenant.objects.get(slug="shop")
        assert rights(nobody, shop) == RIGHTS["owner"]
        assert shop.registries == ["registry.example.com/shop", "ghcr.io"]
        assert shop.defaults == {
            "quota": {"requests.cpu": "1500m"},
            "limits": {"cpu": {"request": "100m", "limit": "1"}},
        }
        event = AuditEvent.objects.get(action="tenant.created")
        assert event.after["slug"] == "shop"
        for tab in ("", "members/", "clusters/", "settings/"):
            assert signed_in(nobody).get(f"/tenants/shop/{tab}").status_code == 200

    @pytest.mark.parametrize(
        ("field", "value"),
        [("slug", "Shop"), ("slug", "a b"), ("slug", "-x"), ("slug", "x" * 41), ("slug", "7"),
         ("slug", "add"), ("slug", "old"), ("slug", "../x"), ("name", ""), ("name", "OLD"),
         ("name", "a\nb"), ("isolation", "none"), ("pod_security", "god"), ("owner", "ghost"),
         ("registries", "https://x.example"), ("storage_classes", "Fast"),
         ("ingress_classes", "a/b"), ("defaults.quota.requests.cpu", "-1"),
         ("defaults.quota.pods", "many"), ("defaults.limits.memory.limit", "2Gb")],
    )  # fmt: skip
    def test_bad_input_is_refused_at_the_field(
        self, admin_client: Client, field: str, value: str
    ) -> None:
        make_tenant("old", name="Old")
        answer = admin_client.post(ADD, VALID | {field: value})
        assert field in answer.context["form"].errors
        assert Tenant.objects.count() == 1

    def test_a_limit_below_the_request_is_refused(self, admin_client: Client) -> None:
        sent = VALID | {"defaults.limits.cpu.request": "2", "defaults.limits.cpu.limit": "500m"}
        form = admin_client.post(ADD, sent).context["form"]
        assert "defaults.limits.cpu.limit" in form.errors

    def test_others_make_none(
        self, operator_client: Client, auditor_client: Client, nobody_client: Client
    ) -> None:
        for client, code in ((operator_client, 403), (auditor_client, 403), (nobody_client, 404)):
            assert client.post(ADD, VALID).status_code == code
        assert not Tenant.objects.exists()


class TestTheList:
    def test_members_see_their_own_and_auditors_all(
        self, shop: Tenant, auditor_client: Client
    ) -> None:
        make_tenant("other")
        mine = signed_in(member(shop, "viewer")).get("/tenants/").content.decode()
        assert "/tenants/shop/" in mine
        assert "/tenants/other/" not in mine
        everything = auditor_client.get("/tenants/").content.decode()
        assert "/tenants/other/" in everything

    def test_the_first_page_leads_a_member_there(self, shop: Tenant, nobody_client: Client) -> None:
        make_tenant("other")
        page = signed_in(member(shop, "developer")).get("/").content.decode()
        assert 'href="/tenants/shop/"' in page
        assert "/tenants/other/" not in page
        assert "no platform role yet" not in page
        assert "no platform role yet" in nobody_client.get("/").content.decode()

    def test_a_stranger_is_told_what_to_do(self, shop: Tenant, nobody_client: Client) -> None:
        page = nobody_client.get("/tenants/").content.decode()
        assert "You belong to no tenant yet" in page
        assert "shop" not in page

    def test_it_costs_the_same_for_many(
        self, admin_client: Client, django_assert_max_num_queries
    ) -> None:
        for number in range(30):
            make_tenant(f"t{number}x")
        with django_assert_max_num_queries(8):
            admin_client.get("/tenants/")


class TestSettings:
    def test_an_owner_changes_what_is_not_the_platforms(self, shop: Tenant) -> None:
        client = signed_in(member(shop, "owner"))
        sent = {"description": "Ours", "isolation": "strict", "pod_security": "privileged",
                "protected": "on", "name": "Stolen", "registries": "evil.example"}  # fmt: skip
        assert client.post("/tenants/shop/edit/", sent).status_code == 302
        shop.refresh_from_db()
        assert (shop.description, shop.isolation) == ("Ours", "strict")
        assert (shop.name, shop.pod_security, shop.protected) == ("Shop", "baseline", False)
        assert shop.registries == []

    def test_over_rest_that_is_refused_by_name(self, shop: Tenant) -> None:
        api = with_token(member(shop, "owner"))
        answer = api.patch("/api/v1/tenants/shop/", {"pod_security": "privileged"}, format="json")
        assert answer.status_code == 403
        assert "pod_security" in answer.json()["detail"]

    @pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
    def test_lower_roles_change_nothing(self, shop: Tenant, role: str) -> None:
        client = signed_in(member(shop, role))
        assert client.get("/tenants/shop/edit/").status_code == 403
        assert client.post("/tenants/shop/edit/", {"isolation": "open"}).status_code == 403

    def test_freezing_says_why_to_the_members(self, shop: Tenant, admin_client: Client) -> None:
        owner = member(shop, "owner")
        admin_client.post("/tenants/shop/freeze/", {"reason": "Unpaid since May"})
        client = signed_in(owner)
        assert "Unpaid since May" in client.get("/tenants/shop/").content.decode()
        assert client.post("/tenants/shop/edit/", {"isolation": "open"}).status_code == 403
        assert client.post("/tenants/shop/unfreeze/").status_code == 404
        admin_client.post("/tenants/shop/unfreeze/")
        assert client.get("/tenants/shop/edit/").status_code == 200
        actions = AuditEvent.objects.filter(action__startswith="tenant.").order_by("pk")
        assert list(actions.values_list("action", flat=True))[-2:] == [
            "tenant.frozen", "tenant.unfrozen",
        ]  # fmt: skip


class TestDeleting:
    def test_it_asks_for_the_short_name(self, shop: Tenant, admin_client: Client) -> None:
        owner = member(shop, "owner")
        admin_client.post("/tenants/shop/delete/", {"confirm_name": "Shop"})
        assert Tenant.objects.exists()
        admin_client.post("/tenants/shop/delete/", {"confirm_name": "shop"})
        assert not Tenant.objects.exists()
        assert signed_in(owner).get("/tenants/shop/").status_code == 404
        event = AuditEvent.objects.get(action="tenant.removed")
        assert event.before["members"] == ["shop-owner: owner"]

    def test_not_while_it_is_protected_or_has_namespaces(
        self, shop: Tenant, admin_client: Client, admin_api: APIClient
    ) -> None:
        Tenant.objects.update(protected=True)
        sent = {"confirm_name": "shop"}
        page = admin_client.post("/tenants/shop/delete/", sent, follow=True).content.decode()
        assert "protected from deletion" in page
        Tenant.objects.update(protected=False)
        Namespace.objects.create(tenant=shop, cluster=given(shop).cluster, name="cart")
        answer = admin_api.delete("/api/v1/tenants/shop/")
        assert answer.status_code == 409
        assert "cart" in answer.json()["detail"]
        assert Tenant.objects.exists()

    def test_its_owner_may_not(self, shop: Tenant) -> None:
        client = signed_in(member(shop, "owner"))
        sent = {"confirm_name": "shop"}
        assert client.post("/tenants/shop/delete/", sent).status_code == 404
        assert Tenant.objects.exists()


class TestClusters:
    def test_a_cluster_is_given_whole_or_by_pools(self, shop: Tenant, admin_client: Client) -> None:
        plain, pooled = ClusterFactory(name="north"), ClusterFactory(name="south")
        pool = ResourcePool.objects.create(cluster=pooled, name="gpu")
        at = "/tenants/shop/clusters/"
        admin_client.post(f"{at}add/", {"cluster": plain.pk})
        assert shop.clusters.get().cluster == plain
        answer = admin_client.post(f"{at}add/", {"cluster": pooled.pk})
        assert answer["Location"] == f"{at}{pooled.pk}/"
        admin_client.post(f"{at}{pooled.pk}/", {"pools": [pool.pk]})
        assert list(shop.clusters.get(cluster=pooled).pools.all()) == [pool]
        page = signed_in(member(shop, "viewer")).get(at).content.decode()
        assert "north" in page
        assert "gpu" in page

    def test_pools_of_other_clusters_are_refused(
        self, shop: Tenant, admin_client: Client, admin_api: APIClient
    ) -> None:
        row = given(shop)
        foreign = ResourcePool.objects.create(cluster=ClusterFactory(), name="gpu")
        at = f"/tenants/shop/clusters/{row.cluster_id}/"
        assert "pools" in admin_client.post(at, {"pools": [foreign.pk]}).context["form"].errors
        answer = admin_api.put(f"/api/v1{at}", {"pools": [foreign.pk]}, format="json")
        assert answer.status_code == 400
        assert not row.pools.exists()

    def test_what_namespaces_stand_on_is_not_taken(
        self, shop: Tenant, admin_client: Client, admin_api: APIClient
    ) -> None:
        cluster = ClusterFactory(name="north")
        gpu = ResourcePool.objects.create(cluster=cluster, name="gpu")
        disk = ResourcePool.objects.create(cluster=cluster, name="disk")
        given(shop, gpu, disk)
        cart = Namespace.objects.create(tenant=shop, cluster=cluster, name="cart", pool=gpu)
        at = f"/tenants/shop/clusters/{cluster.pk}/"
        page = admin_client.post(at, {"pools": [disk.pk]}).content.decode()
        assert "cart" in page
        page = admin_client.post(f"{at}withdraw/", follow=True).content.decode()
        assert "cart" in page
        assert admin_api.delete(f"/api/v1{at}").status_code == 409
        assert shop.clusters.get().pools.count() == 2
        cart.delete()
        assert admin_client.post(f"{at}withdraw/").status_code == 302
        assert not shop.clusters.exists()

    def test_a_withdrawn_cluster_takes_its_quota_along(
        self, shop: Tenant, admin_api: APIClient
    ) -> None:
        row = given(shop)
        Quota.objects.create(tenant=shop, cluster=row.cluster, hard={"pods": "5"})
        at = f"/api/v1/tenants/shop/clusters/{row.cluster_id}/"
        assert admin_api.delete(at).status_code == 204
        assert not Quota.objects.exists()
        event = AuditEvent.objects.get(action="tenant.cluster_withdrawn")
        assert event.before["quota"] == {"pods": "5"}

    def test_its_owner_gives_it_nothing(self, shop: Tenant) -> None:
        owner, cluster = member(shop, "owner"), ClusterFactory()
        answer = signed_in(owner).post("/tenants/shop/clusters/add/", {"cluster": cluster.pk})
        assert answer.status_code == 404
        answer = with_token(owner).post(
            "/api/v1/tenants/shop/clusters/", {"cluster": cluster.pk}, format="json"
        )
        assert answer.status_code in (403, 404)
        assert not shop.clusters.exists()


class TestQuotas:
    def test_one_for_all_and_one_on_each_cluster(self, shop: Tenant, admin_client: Client) -> None:
        row = given(shop)
        at = "/tenants/shop/"
        admin_client.post(f"{at}quota/", {"hard.requests.cpu": "1.5", "hard.namespaces": "3"})
        admin_client.post(f"{at}clusters/{row.cluster_id}/quota/", {"hard.pods": "20"})
        hard = {quota.cluster: quota.hard for quota in shop.quotas.all()}
        assert hard == {
            None: {"requests.cpu": "1500m", "namespaces": "3"},
            row.cluster: {"pods": "20"},
        }
        page = signed_in(member(shop, "viewer")).get(at).content.decode()
        assert "1.5 CPU" in page
        assert AuditEvent.objects.filter(action="tenant.quota_changed").count() == 2

    def test_lowering_below_what_is_given_says_the_figures(
        self, shop: Tenant, admin_client: Client, admin_api: APIClient
    ) -> None:
        cluster = given(shop).cluster
        Namespace.objects.create(
            tenant=shop, cluster=cluster, name="cart", quota={"requests.cpu": "2"}
        )
        answer = admin_client.post("/tenants/shop/quota/", {"hard.requests.cpu": "500m"})
        (error,) = answer.context["form"].errors["hard.requests.cpu"]
        assert "2 CPU" in error
        sent = {"hard": {"requests.cpu": "500m"}}
        answer = admin_api.put("/api/v1/tenants/shop/quotas/all/", sent, format="json")
        assert answer.status_code == 409
        assert not Quota.objects.exists()

    def test_nonsense_is_refused_by_name(self, shop: Tenant, admin_api: APIClient) -> None:
        at = "/api/v1/tenants/shop/quotas/all/"
        for hard in ({"requests.cpu": "lots"}, {"bananas": "3"}, {"pods": "-1"}):
            answer = admin_api.put(at, {"hard": hard}, format="json")
            assert answer.status_code == 400
            assert f"hard.{next(iter(hard))}" in answer.json()["errors"]
        assert not Quota.objects.exists()

    def test_its_owner_sees_it_and_sets_none(self, shop: Tenant) -> None:
        owner = member(shop, "owner")
        assert signed_in(owner).post("/tenants/shop/quota/", {"hard.pods": "9"}).status_code == 404
        api = with_token(owner)
        assert len(api.get("/api/v1/tenants/shop/quotas/").json()["results"]) == 1
        answer = api.put("/api/v1/tenants/shop/quotas/all/", {"hard": {}}, format="json")
        assert answer.status_code in (403, 404)


def test_rest_makes_lists_changes_and_finds_by_short_name_and_id(admin_api: APIClient) -> None:
    body = {
        "name": "Shop", "slug": "shop", "storage_classes": ["fast"],
        "defaults": {"quota": {"pods": "20"}, "limits": {"memory": {"limit": "1Gi"}}},
    }  # fmt: skip
    made = admin_api.post("/api/v1/tenants/", body, format="json")
    assert made.status_code == 201, made.content
    number = made.json()["id"]
    at = f"/api/v1/tenants/{number}/"
    changed = admin_api.patch(at, {"description": "Ours", "protected": True}, format="json").json()
    assert (changed["description"], changed["protected"]) == ("Ours", True)
    assert changed["defaults"] == body["defaults"]
    assert changed["storage_classes"] == ["fast"]
    assert admin_api.patch(at, {"slug": "mall"}, format="json").status_code == 400
    shown = admin_api.get("/api/v1/tenants/shop/").json()
    assert (shown["id"], "manage_owners" in shown["rights"]) == (number, True)
    listed = admin_api.get("/api/v1/tenants/?q=SHO&frozen=false").json()["results"]
    assert [row["slug"] for row in listed] == ["shop"]
    bad = {"defaults": {"quota": {"namespaces": "3"}}}
    assert admin_api.patch(at, bad, format="json").status_code == 400
