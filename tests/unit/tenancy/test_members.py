"""Who belongs to a tenant: what each role may, and that it ends with the role."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from console.accounts.models import Role, User
from console.audit.models import AuditEvent
from tenancy import members
from tenancy.models import Membership, Tenant, TenantGroupPermission, TenantUserPermission
from tenancy.permissions import RIGHTS, groups_on_clusters, rights, visible_tenants
from tests.conftest import signed_in, with_token
from tests.factories import UserFactory
from tests.unit.tenancy.people import ROLES, founder, make_tenant, member, member_by_group

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Tenant:
    return make_tenant()


@pytest.fixture
def other() -> Tenant:
    return make_tenant("other")


@pytest.mark.parametrize("role", ROLES)
def test_a_member_has_the_rights_of_the_role_here_and_nowhere_else(
    shop: Tenant, other: Tenant, role: str
) -> None:
    person = member(shop, role)
    assert rights(person, shop) == RIGHTS[role]
    assert rights(person, other) == frozenset()
    assert list(visible_tenants(person)) == [shop]
    assert groups_on_clusters(person) == (f"flotilla:tenant:shop:{role}",)


@pytest.mark.parametrize("role", ROLES)
def test_a_group_gives_its_people_the_same_and_takes_it_with_them(shop: Tenant, role: str) -> None:
    person, group = member_by_group(shop, role)
    assert rights(person, shop) == RIGHTS[role]
    person.groups.remove(group)
    assert rights(person, shop) == frozenset()
    assert not visible_tenants(person).exists()
    assert groups_on_clusters(person) == ()


@pytest.mark.parametrize("role", ROLES)
def test_a_former_member_is_a_stranger(shop: Tenant, role: str) -> None:
    member(shop, "owner", "keeper")
    person = member(shop, role)
    members.remove(Membership.objects.get(user=person), by=founder())
    assert rights(person, shop) == frozenset()
    assert not TenantUserPermission.objects.filter(user=person).exists()
    assert signed_in(person).get("/tenants/shop/").status_code == 404
    assert with_token(person).get("/api/v1/tenants/shop/").status_code == 404


def test_a_lower_role_takes_the_higher_ones_rights(shop: Tenant) -> None:
    person = member(shop, "admin")
    members.set_role(shop, person, "viewer", by=founder())
    assert rights(person, shop) == RIGHTS["viewer"]


def test_a_group_that_goes_takes_its_rights_along(shop: Tenant) -> None:
    person, group = member_by_group(shop, "developer")
    group.delete()
    assert rights(person, shop) == frozenset()
    assert not TenantGroupPermission.objects.exists()
    assert not Membership.objects.exists()


def test_who_is_not_active_has_nothing(shop: Tenant) -> None:
    person = member(shop, "owner")
    person.is_active = False
    person.save()
    assert rights(person, shop) == frozenset()
    assert not visible_tenants(person).exists()


@pytest.mark.parametrize("role", ROLES)
def test_in_a_frozen_tenant_everybody_only_looks(shop: Tenant, role: str) -> None:
    person = member(shop, role)
    shop.frozen = True
    shop.save()
    assert rights(person, shop) <= {"view_tenant", "read_logs"}
    assert groups_on_clusters(person) == ("flotilla:tenant:shop:viewer",)
    client = signed_in(person)
    assert client.get("/tenants/shop/").status_code == 200
    sent = {"kind": "user", "who": founder().username, "role": "viewer"}
    assert client.post("/tenants/shop/members/add/", sent).status_code == 403


PLATFORM = {Role.ADMIN: True, Role.OPERATOR: False, Role.AUDITOR: False}


@pytest.mark.parametrize(("role", "changes"), PLATFORM.items())
def test_platform_roles_see_every_tenant_and_admins_change_them(
    shop: Tenant, role: str, changes: bool
) -> None:
    client = signed_in(UserFactory(role=role))
    assert client.get("/tenants/shop/members/").status_code == 200
    sent = {"kind": "user", "who": founder().username, "role": "viewer"}
    answer = client.post("/tenants/shop/members/add/", sent)
    assert answer.status_code == (302 if changes else 403)
    assert Membership.objects.exists() is changes


class TestChangingMembers:
    def add(self, by: User, who: str, role: str, kind: str = "user"):
        sent = {"kind": kind, "who": who, "role": role}
        return signed_in(by).post("/tenants/shop/members/add/", sent)

    @pytest.mark.parametrize("role", ["developer", "viewer"])
    def test_developers_and_viewers_may_not(self, shop: Tenant, role: str) -> None:
        UserFactory(username="nina")
        assert self.add(member(shop, role), "nina", "viewer").status_code == 403
        assert not Membership.objects.filter(user__username="nina").exists()

    def test_for_a_stranger_there_is_no_tenant(self, shop: Tenant, nobody: User) -> None:
        assert self.add(nobody, "nemo", "owner").status_code == 404
        assert rights(nobody, shop) == frozenset()

    def test_an_admin_brings_people_and_groups_in(self, shop: Tenant) -> None:
        UserFactory(username="nina")
        Group.objects.create(name="team")
        chief = member(shop, "admin")
        assert self.add(chief, "nina", "developer").status_code == 302
        assert self.add(chief, "team", "viewer", "group").status_code == 302
        assert {row.who for row in shop.memberships.exclude(user=chief)} == {"nina", "team"}
        event = AuditEvent.objects.filter(action="tenant.member_added").first()
        assert event.actor == chief

    def test_an_admin_makes_no_owners_and_removes_none(self, shop: Tenant) -> None:
        owner, chief = member(shop, "owner"), member(shop, "admin")
        member(shop, "owner", "second")
        assert self.add(chief, chief.username, "owner").status_code == 200
        row = Membership.objects.get(user=owner)
        client = signed_in(chief)
        client.post(f"/tenants/shop/members/{row.pk}/remove/")
        client.post(f"/tenants/shop/members/{row.pk}/", {"role": "viewer"})
        row.refresh_from_db()
        assert row.role == "owner"
        assert rights(chief, shop) == RIGHTS["admin"]
        answer = with_token(chief).post(
            "/api/v1/tenants/shop/members/", {"user": chief.username, "role": "owner"}
        )
        assert answer.status_code == 409

    def test_the_only_owner_stays(self, shop: Tenant) -> None:
        owner = member(shop, "owner")
        row = Membership.objects.get(user=owner)
        answer = signed_in(owner).post(f"/tenants/shop/members/{row.pk}/remove/", follow=True)
        assert "is the only owner" in answer.content.decode()
        assert (
            with_token(owner).delete(f"/api/v1/tenants/shop/members/{row.pk}/").status_code == 409
        )
        assert rights(owner, shop) == RIGHTS["owner"]

    def test_anybody_leaves_by_themselves(self, shop: Tenant) -> None:
        person = member(shop, "viewer")
        row = Membership.objects.get(user=person)
        client = signed_in(person)
        answer = client.post(f"/tenants/shop/members/{row.pk}/remove/")
        assert answer["Location"] == "/tenants/"
        assert client.get("/tenants/shop/").status_code == 404

    def test_a_viewer_removes_nobody_else(self, shop: Tenant) -> None:
        row = Membership.objects.get(user=member(shop, "developer"))
        viewer = member(shop, "viewer")
        assert signed_in(viewer).post(f"/tenants/shop/members/{row.pk}/remove/").status_code == 403
        assert (
            with_token(viewer).delete(f"/api/v1/tenants/shop/members/{row.pk}/").status_code == 403
        )
        assert Membership.objects.filter(pk=row.pk).exists()

    def test_a_member_of_another_tenant_cannot_be_reached(
        self, shop: Tenant, other: Tenant
    ) -> None:
        row = Membership.objects.get(user=member(other, "viewer"))
        owner = member(shop, "owner")
        client = signed_in(owner)
        assert client.post(f"/tenants/shop/members/{row.pk}/remove/").status_code == 404
        assert client.post(f"/tenants/other/members/{row.pk}/remove/").status_code == 404
        sent = {"role": "owner"}
        assert client.post(f"/tenants/shop/members/{row.pk}/", sent).status_code == 404
        assert (
            with_token(owner).patch(f"/api/v1/tenants/shop/members/{row.pk}/", sent).status_code
            == 404
        )
        row.refresh_from_db()
        assert row.role == "viewer"

    @pytest.mark.parametrize(
        ("kind", "who", "role"),
        [("user", "ghost", "viewer"), ("group", "ghost", "viewer"), ("user", "", "viewer"),
         ("robot", "x", "viewer"), ("user", "shop-owner", "king"), ("user", "gone", "viewer")],
    )  # fmt: skip
    def test_bad_input_is_refused_at_the_field(
        self, shop: Tenant, kind: str, who: str, role: str
    ) -> None:
        UserFactory(username="gone", is_active=False)
        answer = self.add(member(shop, "owner"), who, role, kind)
        assert answer.context["form"].errors
        assert shop.memberships.count() == 1


def test_the_api_lists_adds_changes_and_removes(shop: Tenant) -> None:
    UserFactory(username="nina")
    api = with_token(member(shop, "owner"))
    made = api.post("/api/v1/tenants/shop/members/", {"user": "nina", "role": "viewer"})
    assert made.status_code == 201, made.content
    at = f"/api/v1/tenants/{shop.pk}/members/{made.json()['id']}/"
    assert api.patch(at, {"role": "developer"}).json()["role"] == "developer"
    listed = api.get("/api/v1/tenants/shop/members/").json()["results"]
    assert {row["user"]: row["role"] for row in listed}["nina"] == "developer"
    assert api.delete(at).status_code == 204
    assert api.get(at).status_code == 404
    bad = (
        {"role": "viewer"},
        {"user": "nina", "group": "x", "role": "viewer"},
        {"user": "ghost", "role": "viewer"},
        {"user": "nina", "role": "king"},
    )
    for body in bad:
        assert api.post("/api/v1/tenants/shop/members/", body).status_code == 400
