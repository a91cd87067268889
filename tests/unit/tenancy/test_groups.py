"""Groups of people: who may change them, and what hangs on them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy.permissions import RIGHTS, rights
from tests.unit.tenancy.people import make_tenant, member, member_by_group

pytestmark = pytest.mark.django_db
CREATE = "/settings/groups/create/"


@pytest.fixture
def team() -> Group:
    return Group.objects.create(name="team")


def test_an_admin_makes_a_group_and_puts_people_in(admin_client: Client, nobody: User) -> None:
    assert admin_client.post(CREATE, {"name": "team"}).status_code == 302
    group = Group.objects.get(name="team")
    at = f"/settings/groups/{group.pk}/"
    admin_client.post(f"{at}people/", {"person": "nemo"})
    assert list(nobody.groups.all()) == [group]
    assert "nemo" in admin_client.get(at).content.decode()
    admin_client.post(f"{at}people/{nobody.pk}/remove/")
    assert not nobody.groups.exists()
    groups = AuditEvent.objects.filter(action__startswith="group.").order_by("pk")
    actions = list(groups.values_list("action", flat=True))
    assert actions == ["group.created", "group.changed", "group.changed"]


@pytest.mark.parametrize("name", ["", "team", "TEAM", "a\nb", "a\u202eb", "x" * 151])
def test_bad_names_are_refused_at_the_field(admin_client: Client, team: Group, name: str) -> None:
    assert "name" in admin_client.post(CREATE, {"name": name}).context["form"].errors
    assert Group.objects.count() == 1


def test_nobody_of_that_name_is_said(admin_client: Client, team: Group) -> None:
    answer = admin_client.post(f"/settings/groups/{team.pk}/people/", {"person": "ghost"})
    assert "There is no active user" in answer.content.decode()


def test_an_auditor_looks_and_others_see_nothing(
    auditor_client: Client, operator_client: Client, nobody_client: Client, team: Group, admin: User
) -> None:
    at = f"/settings/groups/{team.pk}/"
    assert auditor_client.get(at).status_code == 200
    for client, code in ((auditor_client, 403), (operator_client, 404), (nobody_client, 404)):
        assert client.post(f"{at}people/", {"person": "ada"}).status_code == code
        assert client.post(f"{at}remove/", {"confirm_name": "team"}).status_code == code
        assert client.post(CREATE, {"name": "mine"}).status_code == code
    assert not admin.groups.exists()
    assert Group.objects.count() == 1


def test_another_name_leaves_what_it_gives(admin_client: Client) -> None:
    shop = make_tenant()
    person, group = member_by_group(shop, "developer")
    admin_client.post(f"/settings/groups/{group.pk}/rename/", {"name": "crew"})
    group.refresh_from_db()
    assert group.name == "crew"
    assert rights(person, shop) == RIGHTS["developer"]


def test_removing_a_group_names_and_ends_what_it_gave(admin_client: Client) -> None:
    shop = make_tenant()
    member(shop, "owner")
    person, group = member_by_group(shop, "developer")
    at = f"/settings/groups/{group.pk}/remove/"
    assert "Developer of the tenant Shop" in admin_client.get(at).content.decode()
    assert "confirm_name" in admin_client.post(at, {"confirm_name": "x"}).context["form"].errors
    assert rights(person, shop) == RIGHTS["developer"]
    assert admin_client.post(at, {"confirm_name": "team"}).status_code == 302
    assert rights(person, shop) == frozenset()
    event = AuditEvent.objects.get(action="group.removed")
    assert event.before["people"] == ["team-developer"]


def test_a_group_that_is_the_only_owner_stays(admin_client: Client) -> None:
    shop = make_tenant()
    person, group = member_by_group(shop, "owner")
    answer = admin_client.post(
        f"/settings/groups/{group.pk}/remove/", {"confirm_name": "team"}, follow=True
    )
    assert "is the only owner of the tenant Shop" in answer.content.decode()
    assert rights(person, shop) == RIGHTS["owner"]
