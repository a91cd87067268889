"""Search finds tenants and their namespaces, for each person theirs."""

from __future__ import annotations

import pytest

from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, Tenant
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shops(admin: User) -> dict[str, User]:
    """Two tenants with a namespace each, and a member of either."""
    cluster = ClusterFactory(name="east")
    people = {}
    for name in ("alpha", "beta"):
        tenant = Tenant.objects.create(name=f"Shop {name}", slug=f"shop-{name}")
        Namespace.objects.create(
            tenant=tenant, cluster=cluster, name=f"web-{name}", state="drifted"
        )
        people[name] = UserFactory(username=name)
        members.set_role(tenant, people[name], "viewer", by=admin)
    return people


def found(user: User, words: str) -> set[str]:
    html = signed_in(user).get("/search/", {"q": words}).content.decode()
    return {
        name
        for name in ("shop-alpha", "shop-beta", "web-alpha", "web-beta")
        if f">{name}<" in html or f"/{name}/" in html or name in html.partition("<main")[2]
    }


def test_each_person_finds_their_own(shops: dict[str, User], admin: User) -> None:
    assert found(shops["alpha"], "shop") == {"shop-alpha", "web-alpha"}
    assert found(shops["beta"], "web") == {"web-beta"}
    assert found(admin, "shop") == {"shop-alpha", "shop-beta", "web-alpha", "web-beta"}
    assert found(UserFactory(), "shop") == set()


@pytest.mark.parametrize(
    ("words", "names"),
    [("ns:web-a", {"web-alpha"}), ("status:drifted cluster:east", {"web-alpha"}),
     ("status:pending", set()), ("cluster:west", set()), ("shop image:nginx", set())],
)  # fmt: skip
def test_operators_narrow(shops: dict[str, User], words: str, names: set[str]) -> None:
    rows = with_token(shops["alpha"]).get("/api/v1/search/", {"q": words}).json()
    titles = {
        hit["title"]
        for group in rows["groups"]
        if group["id"] == "tenant-namespaces"
        for hit in group["hits"]
    }
    assert titles == names
