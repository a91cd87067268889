"""What runs in a namespace, as the tenant's people see it."""

from __future__ import annotations

import re

import pytest

from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, Tenant
from tests.conftest import signed_in
from tests.factories import ClusterFactory, ObjectFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(admin: User) -> Namespace:
    cluster = ClusterFactory(name="east")
    tenant = Tenant.objects.create(name="Shop", slug="shop")
    row = Namespace.objects.create(
        tenant=tenant, cluster=cluster, name="web", applied_revision=1, state="applied"
    )
    pod = {"resource": "pods", "api_version": "v1", "kind": "Pod"}
    waiting = {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    ObjectFactory(
        cluster=cluster, namespace="web", name="cart-<b>1</b>", status="ImagePullBackOff",
        health="bad", summary={"ready": [0, 1], "restarts": 0, "containers": [waiting]}, **pod,
    )  # fmt: skip
    ObjectFactory(
        cluster=cluster, namespace="web", name="db-pass", resource="secrets", api_version="v1",
        kind="Secret",
    )  # fmt: skip
    ObjectFactory(cluster=cluster, namespace="other", name="foreign", **pod)
    ObjectFactory(cluster=ClusterFactory(), namespace="web", name="elsewhere", **pod)
    return row


def member(row: Namespace, admin: User, role: str) -> User:
    user = UserFactory(username=role)
    members.set_role(row.tenant, user, role, by=admin)
    return user


def test_a_member_sees_what_is_in_it_and_nothing_else(row: Namespace, admin: User) -> None:
    page = f"/namespaces/{row.pk}/contents/"
    html = signed_in(member(row, admin, "developer")).get(page).content.decode()
    assert "cart-&lt;b&gt;1&lt;/b&gt;" in html and "ImagePullBackOff" in html and "0/1" in html
    assert "db-pass" in html
    assert "foreign" not in html and "elsewhere" not in html
    links = re.findall(r'href="(/clusters/[^"]*)"', html.partition("<main")[2])
    assert links and all("/web/" in href for href in links), "no link that leads nowhere"
    assert "db-pass" not in signed_in(member(row, admin, "viewer")).get(page).content.decode()
    assert "/clusters/" in signed_in(admin).get(page).content.decode().partition("<main")[2]


def test_it_can_be_filtered_by_kind_and_not_be_widened(row: Namespace, admin: User) -> None:
    client = signed_in(member(row, admin, "viewer"))
    page = f"/namespaces/{row.pk}/contents/"
    assert "cart-" in client.get(page, {"kind": "pods"}).content.decode()
    for query in ({"kind": "secrets"}, {"kind": "nodes"}, {"namespace": "other"}, {"q": "foreign"}):
        html = client.get(page, query).content.decode()
        assert "db-pass" not in html and ">foreign<" not in html


def test_strangers_and_those_who_left_find_nothing(row: Namespace, admin: User) -> None:
    former = member(row, admin, "admin")
    members.remove(row.tenant.memberships.get(user=former), by=admin)
    for user in (former, UserFactory()):
        assert signed_in(user).get(f"/namespaces/{row.pk}/contents/").status_code == 404
