"""Who may ask, answer and withdraw, take kubeconfigs and revoke them: its people by role,
strangers, former members, people of a group, and the platform's own roles; by page and by API.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.models import Cluster
from console.accounts.models import User
from tenancy import members
from tenancy.models import GivenKubeconfig, Request, RequestState, Tenant
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.everybody import (
    MANAGE,
    PLATFORM,
    SEE,
    WORK,
    answers,
    everybody,
    expected,
)
from tests.unit.tenancy.namespace_rows import limited, namespace_of, tenant_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory(name="east")


@pytest.fixture
def shop(cluster: Cluster) -> Tenant:
    tenant = tenant_of(cluster, "shop", defaults={"quota": {"pods": "1"}})
    limited(tenant, pods="10")
    return tenant


@pytest.fixture
def people(shop, cluster, admin, operator, auditor, nobody) -> dict[str, User]:
    return everybody(shop, cluster, admin, operator, auditor, nobody)


def asked(shop: Tenant, kind: str = "quota", **fields: object) -> Request:
    wishes = {
        "quota": {"pods": "1"},
        "membership": {"user": "audrey", "role": "viewer"},
        "namespace": {"name": "new", "description": ""},
    }
    return Request.objects.create(tenant=shop, kind=kind, wish=wishes[kind], **fields)


def test_seeing(people, shop) -> None:
    row = asked(shop)
    page = answers(people, lambda u: signed_in(u).get(f"/requests/{row.pk}/"))
    assert page == expected(people, 200, SEE, set())
    api = answers(people, lambda u: with_token(u).get(f"/api/v1/requests/{row.pk}/"))
    assert api == page
    for who, user in people.items():
        listed = with_token(user).get("/api/v1/requests/").json()["results"]
        assert [found["id"] for found in listed] == ([row.pk] if who in SEE else []), who


@pytest.mark.parametrize("what", ["quota", "place", "namespace", "member"])
def test_asking_by_page(people, what: str) -> None:
    found = answers(people, lambda u: signed_in(u).get(f"/requests/ask/shop/{what}/"))
    assert found == expected(people, 200, WORK, SEE)
    sent = answers(people, lambda u: signed_in(u).post(f"/requests/ask/shop/{what}/", {}))
    assert sent == expected(people, 200, WORK, SEE), "an empty form is shown again"


def test_asking_by_api(people) -> None:
    body = {"tenant": "shop", "kind": "quota", "amounts": {"pods": "1"}, "reason": "a sale"}
    found = answers(people, lambda u: with_token(u).post("/api/v1/requests/", body, format="json"))
    assert found == expected(people, 201, WORK, SEE)


@pytest.mark.parametrize(
    ("kind", "may"), [("quota", PLATFORM), ("membership", MANAGE), ("namespace", MANAGE)]
)
def test_answering(people, shop, cluster, kind: str, may: set[str]) -> None:
    row = asked(shop, kind, cluster=cluster if kind == "namespace" else None)
    sent = {"decision": "refuse", "answer": "not now"}
    page = answers(people, lambda u: signed_in(u).post(f"/requests/{row.pk}/", sent))
    assert page == expected(people, 302, may, SEE)
    for action in ("refuse", "approve"):
        api = answers(
            people,
            lambda u, action=action: with_token(u).post(
                f"/api/v1/requests/{row.pk}/{action}/", {"answer": "not now"}, format="json"
            ),
        )
        assert api == expected(people, 200, may, SEE), action
    row.refresh_from_db()
    assert row.state == RequestState.OPEN, "every answer was undone"


def test_withdrawing(people, shop) -> None:
    row = asked(shop)
    page = answers(people, lambda u: signed_in(u).post(f"/requests/{row.pk}/withdraw/"))
    assert page == expected(people, 302, WORK, SEE)
    api = answers(people, lambda u: with_token(u).post(f"/api/v1/requests/{row.pk}/withdraw/"))
    assert api == expected(people, 200, WORK, SEE)


def test_who_lost_the_right_withdraws_their_own_and_nothing_else(people, shop, admin) -> None:
    dora = people["developer"]
    own, other = asked(shop, by=dora), asked(shop)
    members.set_role(shop, dora, "viewer", by=admin)
    client = with_token(dora)
    assert client.post(f"/api/v1/requests/{own.pk}/withdraw/").status_code == 200
    assert client.post(f"/api/v1/requests/{other.pk}/withdraw/").status_code == 403
    members.remove(shop.memberships.get(user=dora), by=admin)
    assert client.post(f"/api/v1/requests/{other.pk}/withdraw/").status_code == 404


def test_an_answer_that_comes_second_is_told_and_changes_nothing(people, shop) -> None:
    row = asked(shop, state=RequestState.REFUSED, answer="no")
    client = signed_in(people["platform admin"])
    answer = client.post(f"/requests/{row.pk}/", {"decision": "approve"}, follow=True)
    assert answer.status_code == 200 and "answered already" in answer.content.decode()
    row.refresh_from_db()
    assert (row.state, row.answer) == (RequestState.REFUSED, "no")


def test_nobody_is_made_owner_by_an_admin_who_approves(people, shop) -> None:
    row = asked(shop, "membership")
    Request.objects.filter(pk=row.pk).update(wish={"user": "audrey", "role": "owner"})
    path = f"/api/v1/requests/{row.pk}/approve/"
    refused = with_token(people["admin"]).post(path, {}, format="json")
    assert refused.status_code in (400, 409), refused.content
    assert not shop.memberships.filter(user__username="audrey").exists()


def test_pages_of_a_namespace_for_those_who_see_it(people, shop, cluster) -> None:
    row = namespace_of(shop, cluster)
    for page in ("contents", "fit"):
        found = answers(people, lambda u, p=page: signed_in(u).get(f"/namespaces/{row.pk}/{p}/"))
        assert found == expected(people, 200, SEE, set()), page


def test_kubeconfigs_are_taken_by_those_who_work_there(people, shop, cluster) -> None:
    row = namespace_of(shop, cluster, applied_revision=1)
    found = answers(people, lambda u: signed_in(u).get(f"/kubeconfigs/new/{row.pk}/"))
    # Platform admins are no members: they have ways of their own.
    may = WORK - PLATFORM
    assert found == expected(people, 200, may, SEE)


def test_kubeconfigs_are_seen_and_revoked_by_their_holder_and_by_managers(
    people, shop, cluster
) -> None:
    row = namespace_of(shop, cluster)
    given = GivenKubeconfig.objects.create(
        tenant=shop, namespace=row, cluster=cluster, namespace_name="web", role="developer",
        user=people["developer"], user_name="dora", expires=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    may = {*MANAGE, "developer"}
    for who, user in people.items():
        text = signed_in(user).get("/kubeconfigs/").content.decode()
        assert (f"/kubeconfigs/{given.pk}/revoke/" in text) == (who in may), who
    found = answers(people, lambda u: signed_in(u).post(f"/kubeconfigs/{given.pk}/revoke/"))
    assert found == {who: 302 if who in may else 404 for who in people}
