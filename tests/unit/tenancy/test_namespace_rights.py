"""Who may do what with a tenant's namespaces: its people by role, strangers, former members,
people of a group, and the platform's own roles; by page and by API.
"""

from __future__ import annotations

import pytest

from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, NamespaceState
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.everybody import MANAGE, PLATFORM, SEE, answers, everybody, expected
from tests.unit.tenancy.namespace_rows import FORM, namespace_of, tenant_of

DRIFT = [{"kind": "LimitRange", "name": "flotilla", "diff": "-a", "live": "1", "accepted": False}]
# Of whom the existence of pages for platform admins is no secret.
PLATFORM_SEE = {"platform admin", "platform operator", "platform auditor"}


@pytest.fixture
def cluster(db):
    return ClusterFactory(name="east")


@pytest.fixture
def shop(cluster):
    return tenant_of(cluster, "shop")


@pytest.fixture
def row(shop, cluster):
    return namespace_of(shop, cluster, drift=DRIFT)


@pytest.fixture
def people(shop, cluster, admin, operator, auditor, nobody) -> dict[str, User]:
    """Everybody who may come along, by what they are to the tenant."""
    return everybody(shop, cluster, admin, operator, auditor, nobody)


def test_seeing(people, row) -> None:
    page = answers(people, lambda user: signed_in(user).get(f"/namespaces/{row.pk}/"))
    assert page == expected(people, 200, SEE, set())
    api = answers(people, lambda user: with_token(user).get(f"/api/v1/namespaces/{row.pk}/"))
    assert api == page
    for who, user in people.items():
        listed = with_token(user).get("/api/v1/namespaces/").json()["results"]
        assert [found["name"] for found in listed] == (["web"] if who in SEE else []), who
        text = signed_in(user).get("/namespaces/").content.decode()
        assert (f"/namespaces/{row.pk}/" in text) == (who in SEE), who


@pytest.mark.parametrize(
    ("page", "body"),
    [
        ("edit", {**FORM, "description": "changed"}),
        ("delete", {"confirm_name": "web"}),
        ("mend", {}),
        ("accept", {}),
    ],
)
def test_changing_by_page(people, row, page, body) -> None:
    found = answers(
        people, lambda user: signed_in(user).post(f"/namespaces/{row.pk}/{page}/", body)
    )
    assert found == expected(people, 302, MANAGE, SEE)


@pytest.mark.parametrize("page", ["release", "move"])
def test_what_is_the_platforms_alone(people, row, page, shop) -> None:
    bank = people["owner of another"].memberships.get().tenant_id
    body = {"confirm_name": "web", "tenant": bank}
    found = answers(
        people, lambda user: signed_in(user).post(f"/namespaces/{row.pk}/{page}/", body)
    )
    assert found == expected(people, 302, PLATFORM, PLATFORM_SEE)
    api = answers(
        people,
        lambda user: with_token(user).post(
            f"/api/v1/namespaces/{row.pk}/{page}/", {"tenant": "bank"}, format="json"
        ),
    )
    assert api == expected(people, 202 if page == "release" else 200, PLATFORM, PLATFORM_SEE)


def test_changing_by_api(people, row) -> None:
    address = f"/api/v1/namespaces/{row.pk}/"
    for ask, done in (
        (lambda u: with_token(u).patch(address, {"description": "x"}, format="json"), 200),
        (lambda u: with_token(u).delete(address), 202),
        (lambda u: with_token(u).post(f"{address}mend/"), 200),
        (lambda u: with_token(u).post(f"{address}accept/"), 200),
    ):
        assert answers(people, ask) == expected(people, done, MANAGE, SEE)


def test_making(people, shop, cluster) -> None:
    body = {"tenant": "shop", "cluster": cluster.pk, "name": "new"}
    made = answers(people, lambda u: with_token(u).post("/api/v1/namespaces/", body, format="json"))
    assert made == expected(people, 201, MANAGE, SEE)
    place = shop.clusters.get().pk
    sent = {"place": place, "name": "new", **FORM}
    found = answers(people, lambda u: signed_in(u).post("/namespaces/add/", sent))
    # Whoever may not make one there is offered no such place.
    assert found == expected(people, 302, MANAGE, set())


def test_adopting_is_the_platforms(people, cluster) -> None:
    body = {"tenant": "shop", "cluster": cluster.pk, "name": "old", "adopt": True}
    found = answers(
        people, lambda u: with_token(u).post("/api/v1/namespaces/", body, format="json")
    )
    # 400: the cluster has no such namespace.
    assert found == expected(people, 400, PLATFORM, SEE)


def test_the_frozen_only_look(people, shop, row) -> None:
    shop.frozen, shop.frozen_reason = True, "unpaid"
    shop.save()
    address = f"/namespaces/{row.pk}/"
    assert answers(people, lambda u: signed_in(u).get(address)) == expected(people, 200, SEE, set())
    found = answers(people, lambda u: signed_in(u).post(f"{address}edit/", FORM))
    assert found == expected(people, 302, PLATFORM, SEE)
    text = signed_in(people["owner"]).get(address).content.decode()
    assert "Frozen" in text and f"{address}edit/" not in text
    assert signed_in(people["owner"]).get(
        f"/namespaces/add/?place={shop.clusters.get().pk}"
    ).status_code == 404  # fmt: skip


def test_a_right_that_goes_between_page_and_click_is_gone(people, shop, row, admin) -> None:
    client = signed_in(people["admin"])
    assert client.get(f"/namespaces/{row.pk}/delete/").status_code == 200
    members.set_role(shop, people["admin"], "developer", by=admin)
    answer = client.post(f"/namespaces/{row.pk}/delete/", {"confirm_name": "web"})
    assert answer.status_code == 403
    members.remove(shop.memberships.get(user=people["admin"]), by=admin)
    answer = client.post(f"/namespaces/{row.pk}/delete/", {"confirm_name": "web"})
    assert answer.status_code == 404
    assert Namespace.objects.get(pk=row.pk).state == NamespaceState.PENDING


def test_buttons_are_there_for_those_who_may(people, row) -> None:
    for who, user in people.items():
        if who not in SEE:
            continue
        text = signed_in(user).get(f"/namespaces/{row.pk}/").content.decode()
        assert (f"/namespaces/{row.pk}/edit/" in text) == (who in MANAGE), who
        assert (f"/namespaces/{row.pk}/mend/" in text) == (who in MANAGE), who
        assert (f"/namespaces/{row.pk}/move/" in text) == (who in PLATFORM), who
        # A tenant's people have no page of the cluster.
        assert (f"/clusters/{row.cluster_id}/" in text) == (who in PLATFORM_SEE), who
