"""Who of a tenant's people is told what: deciders, members, former members, strangers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.accounts.models import User
from console.notices import expiry
from console.notices.catalogue import sentence
from console.notices.models import Notice
from console.notices.reading import mark_read, unread_count, visible_notices
from tenancy import members, request_actions, tenant_actions
from tenancy.models import GivenKubeconfig, Quota, Request, Tenant
from tenancy.request_actions import Wish
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, UserFactory
from tests.unit.tenancy.namespace_rows import namespace_of
from tests.unit.tenancy.people import founder, make_tenant, member, member_by_group

pytestmark = pytest.mark.django_db
ROLES = ("owner", "admin", "developer", "viewer")


@pytest.fixture
def shop() -> Tenant:
    tenant = make_tenant()
    Quota.objects.create(tenant=tenant, hard={"pods": "10"})
    return tenant


@pytest.fixture
def people(shop: Tenant) -> dict[str, User]:
    found = {role: member(shop, role) for role in ROLES}
    found["stranger"] = member(make_tenant("other"), "owner", "stranger")
    for person in found.values():
        mark_read(person)
    return found


def kinds(user: User) -> list[str]:
    return [row.kind for row in visible_notices(user) if not row.kind.startswith("member.")]


def who_sees(people: dict[str, User], kind: str) -> set[str]:
    return {name for name, person in people.items() if kind in kinds(person)}


def membership(user: str = "newcomer") -> Wish:
    return Wish("membership", wish={"user": user, "role": "viewer"}, reason="joins us")


@pytest.mark.parametrize(
    ("kind", "deciders"),
    [("quota", set()), ("cluster", set()), ("membership", {"owner", "admin"}),
     ("namespace", {"owner", "admin"})],
)  # fmt: skip
def test_an_open_request_is_told_to_those_who_may_answer_it(
    shop: Tenant, people: dict[str, User], admin: User, operator: User, kind: str, deciders: set
) -> None:
    wishes = {
        "quota": Wish("quota", wish={"pods": "1"}),
        "cluster": Wish("cluster", cluster=ClusterFactory()),
        "membership": membership(),
        "namespace": Wish("namespace", cluster=ClusterFactory(), wish={"name": "web"}),
    }
    request_actions.ask(shop, wishes[kind], by=people["developer"])
    assert who_sees(people, "request.open") == deciders
    assert kinds(admin) == ["request.open"]
    assert kinds(operator) == []
    assert {name for name, person in people.items() if unread_count(person)} == deciders


def test_who_left_sees_nothing_more_and_who_came_sees_what_waits(
    shop: Tenant, people: dict[str, User]
) -> None:
    request_actions.ask(shop, membership(), by=people["developer"])
    members.remove(shop.memberships.get(user=people["admin"]), by=founder())
    assert kinds(people["admin"]) == []
    members.set_role(shop, people["viewer"], "admin", by=founder())
    assert kinds(people["viewer"]) == ["request.open"]
    members.set_role(shop, people["viewer"], "viewer", by=founder())
    assert kinds(people["viewer"]) == []


def test_members_of_a_group_are_told_and_no_more_when_they_leave_it(
    shop: Tenant, people: dict[str, User]
) -> None:
    person, group = member_by_group(shop, "admin")
    request_actions.ask(shop, membership(), by=people["developer"])
    assert kinds(person) == ["request.open"]
    person.groups.remove(group)
    assert kinds(person) == []


def test_in_a_frozen_tenant_nobody_who_cannot_answer_is_asked(
    shop: Tenant, people: dict[str, User]
) -> None:
    request_actions.ask(shop, membership(), by=people["developer"])
    tenant_actions.freeze(shop, "unpaid", by=founder())
    assert who_sees(people, "request.open") == set()


def test_an_answer_is_told_to_those_who_work_in_the_tenant(
    shop: Tenant, people: dict[str, User]
) -> None:
    UserFactory(username="newcomer")
    row = request_actions.ask(shop, membership(), by=people["developer"])
    request_actions.approve(row, by=people["owner"])
    assert who_sees(people, "request.answered") == {"owner", "admin", "developer"}
    newcomer = User.objects.get(username="newcomer")
    (notice,) = visible_notices(newcomer)
    assert sentence(notice.kind, notice.values) == "You belong to the tenant Shop, as Viewer."


def test_the_end_of_what_was_given_is_told_to_those_who_work_in_the_tenant(
    shop: Tenant, people: dict[str, User], admin: User
) -> None:
    until = timezone.now() + timedelta(days=5)
    wish = Wish("quota", wish={"pods": "1"}, until=until)
    row = request_actions.ask(shop, wish, by=people["developer"])
    request_actions.approve(row, by=admin, until=until)
    request_actions.end_due(until - timedelta(hours=12))
    assert who_sees(people, "request.ending") == {"owner", "admin", "developer"}
    Request.objects.filter(pk=row.pk).update(until=timezone.now() - timedelta(seconds=1))
    request_actions.end_due()
    assert who_sees(people, "request.ended") == {"owner", "admin", "developer"}


def test_who_is_taken_out_is_told_and_what_one_did_oneself_is_not(
    shop: Tenant, people: dict[str, User]
) -> None:
    members.remove(shop.memberships.get(user=people["viewer"]), by=people["owner"])
    (notice,) = visible_notices(people["viewer"]).filter(kind="member.removed")
    assert sentence(notice.kind, notice.values) == "You no longer belong to the tenant Shop."
    members.remove(shop.memberships.get(user=people["developer"]), by=people["developer"])
    assert not Notice.objects.filter(kind="member.removed", owner=people["developer"]).exists()


def test_a_person_without_a_role_on_the_platform_has_a_bell_and_a_feed_of_their_own(
    shop: Tenant, people: dict[str, User]
) -> None:
    request_actions.ask(shop, membership(), by=people["developer"])
    owner, stranger = signed_in(people["owner"]), signed_in(people["stranger"])
    notice = Notice.objects.get(kind="request.open")
    text = owner.get("/notices/").content.decode()
    assert "Notices: 1 unread" in text and "asks for Shop" in text and notice.link in text
    assert owner.get(notice.link).status_code == 200
    assert "asks for Shop" not in stranger.get("/notices/").content.decode()
    stranger.post("/notices/read/", {"notice": notice.pk})
    assert not notice.marks.exists(), "nobody marks what they do not see"
    owner.post("/notices/read/", {"notice": notice.pk})
    assert "Notices: nothing unread" in owner.get("/notices/").content.decode()
    api = with_token(people["stranger"])
    assert api.get(f"/api/v1/notices/{notice.pk}/").status_code == 404
    listed = with_token(people["owner"]).get("/api/v1/notices/").json()["results"]
    assert notice.pk in [row["id"] for row in listed]


def test_nothing_told_yet_is_explained(nobody: User) -> None:
    text = signed_in(nobody).get("/notices/").content.decode()
    assert "Nothing to tell yet" in text and "something of yours ends soon" in text
    assert "Nothing ends soon" in signed_in(nobody).get("/expiry/").content.decode()


def test_nobody_is_told_without_signing_in() -> None:
    assert Client().get("/notices/").status_code == 302
    assert Client().post("/notices/read/").status_code in (302, 403)
    assert Client().get("/api/v1/notices/").status_code == 401


def test_who_asked_and_left_reads_the_answer_without_a_link_to_what_is_not_theirs(
    shop: Tenant, people: dict[str, User], admin: User
) -> None:
    dora = people["developer"]
    row = request_actions.ask(shop, Wish("quota", wish={"pods": "1"}), by=dora)
    request_actions.approve(row, by=admin)
    link = Notice.objects.get(kind="request.answered").link
    assert f'href="{link}"' in signed_in(dora).get("/notices/").content.decode()
    members.remove(shop.memberships.get(user=dora), by=admin)
    text = signed_in(dora).get("/notices/").content.decode()
    assert "Approved" in text and f'href="{link}"' not in text
    assert signed_in(dora).get(link).status_code == 404


# -- kubeconfigs that end -----------------------------------------------------------------


def given_out(tenant: Tenant, user: User, days: float, left: float) -> GivenKubeconfig:
    """A kubeconfig that was given for so many days, of which so many are left."""
    cluster = ClusterFactory()
    row = namespace_of(tenant, cluster, "web")
    ends = timezone.now() + timedelta(days=left)
    return GivenKubeconfig.objects.create(
        tenant=tenant, namespace=row, cluster=cluster, namespace_name="web", user=user,
        user_name=user.username, role="developer", created=ends - timedelta(days=days),
        expires=ends,
    )  # fmt: skip


def test_a_kubeconfig_that_ends_is_told_to_its_holder_and_the_owner(
    shop: Tenant, people: dict[str, User], operator: User
) -> None:
    given_out(shop, people["developer"], days=20, left=5)
    expiry.scan()
    assert who_sees(people, "expiry.near") == {"developer", "owner"}
    assert kinds(operator) == ["expiry.near"]
    for name in ("developer", "owner"):
        text = signed_in(people[name]).get("/expiry/").content.decode()
        assert "The kubeconfig" in text and "shop-developer" in text
    for name in ("viewer", "stranger"):
        assert "shop-developer" not in signed_in(people[name]).get("/expiry/").content.decode()
        listed = with_token(people[name]).get("/api/v1/expiry/").json()["results"]
        assert "kubeconfig" not in [row["type"] for row in listed]  # their own token alone
    assert "shop-developer" in signed_in(operator).get("/expiry/").content.decode()


def test_one_that_was_short_from_the_beginning_is_on_the_radar_and_not_told(
    shop: Tenant, people: dict[str, User]
) -> None:
    given_out(shop, people["developer"], days=1, left=0.5)
    expiry.scan()
    assert who_sees(people, "expiry.near") == set()
    assert len(expiry.radar(people["developer"])) == 1


def test_one_that_was_revoked_ends_no_more(shop: Tenant, people: dict[str, User]) -> None:
    row = given_out(shop, people["developer"], days=20, left=0.5)
    expiry.scan()
    assert Notice.objects.get(kind="expiry.near").resolved is None
    GivenKubeconfig.objects.filter(pk=row.pk).update(revoked=timezone.now())
    expiry.scan()
    assert Notice.objects.get(kind="expiry.near").resolved is not None
    assert expiry.radar(people["owner"]) == []
