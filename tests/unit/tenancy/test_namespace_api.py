"""Tenants' namespaces over REST: figures beforehand, errors by field, what is kept."""

from __future__ import annotations

import pytest

from clusters.models import ResourcePool
from tenancy.models import Namespace
from tests.conftest import with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.namespace_rows import limited, member, namespace_of, seen, tenant_of

ADDRESS = "/api/v1/namespaces/"


@pytest.fixture
def cluster(db):
    return ClusterFactory(name="east")


@pytest.fixture
def shop(cluster):
    return tenant_of(cluster, defaults={"quota": {"pods": "5"}, "limits": {"cpu": {"limit": "1"}}})


@pytest.fixture
def owner(shop, admin):
    return with_token(member(shop, "owner", admin))


def test_a_dry_run_answers_the_figures_and_keeps_nothing(shop, cluster, owner) -> None:
    limited(shop, requests_cpu="4", pods="8")
    namespace_of(shop, cluster, "old", quota={"requests.cpu": "3", "pods": "1"})
    body = {"tenant": "shop", "cluster": cluster.pk, "name": "web"}
    asked = {**body, "quota": {"requests.cpu": "1500m", "pods": "5"}}
    answer = owner.post(f"{ADDRESS}?dry_run=true", asked, format="json")
    assert answer.status_code == 200
    found = answer.json()
    assert not found["fits"]
    assert found["shortfalls"] == [
        {
            "resource": "requests.cpu", "scope": "all clusters", "limit": 4000, "taken": 3000,
            "wanted": 1500, "short_by": 500, "text": found["shortfalls"][0]["text"],
        }
    ]  # fmt: skip
    assert "0.5 CPU short" in found["problems"]["quota.requests.cpu"][0]
    left = {item["resource"]: item["left"] for item in found["left"]}
    assert left == {"requests.cpu": 1000, "pods": 7}
    asked["quota"]["requests.cpu"] = "1"
    found = owner.post(f"{ADDRESS}?dry_run=true", asked, format="json").json()
    assert (found["fits"], found["shortfalls"], found["problems"]) == (True, [], {})
    assert Namespace.objects.count() == 1
    assert owner.post(ADDRESS, asked, format="json").status_code == 201


def test_what_is_left_out_comes_from_the_tenants_defaults(shop, cluster, owner) -> None:
    body = {"tenant": "shop", "cluster": cluster.pk, "name": "web"}
    made = owner.post(ADDRESS, body, format="json")
    assert made.status_code == 201, made.content
    found = made.json()
    assert (found["quota"], found["limits"]) == ({"pods": "5"}, {"cpu": {"limit": "1"}})
    assert (found["tenant"], found["cluster_name"], found["state"]) == ("shop", "east", "pending")
    one = owner.get(f"{ADDRESS}{found['id']}/").json()
    assert [item["resource"] for item in one["use"]] == ["pods"]
    assert (
        owner.post(ADDRESS, {**body, "quota": {}, "name": "b"}, format="json").json()["quota"] == {}
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Web!"}, "name"),
        ({"name": "kube-x"}, "name"),
        ({"name": "there"}, "name"),
        ({"cluster": 987654}, "cluster"),
        ({"quota": {"requests.cpu": "-1"}}, "quota.requests.cpu"),
        ({"quota": {"namespaces": "3"}}, "quota"),
        ({"quota": {"strange": "3"}}, "quota"),
        ({"limits": {"cpu": {"request": "2", "limit": "1"}}}, "limits.cpu.limit"),
        ({"isolation": "none"}, "isolation"),
        ({"pod_security": "privileged"}, "pod_security"),
        ({"pool": 987654}, "pool"),
        ({"labels": {"a": "1\nflotilla.dev/tenant=bank"}}, "labels"),
        ({"labels": {"flotilla.dev/tenant": "bank"}}, "labels"),
        ({"exceptions": [{"kind": "everybody"}]}, "exceptions"),
        ({"exceptions": [{"kind": "cidr", "cidr": "10.0.0.1/8"}]}, "exceptions"),
    ],
)
def test_bad_input_is_named_by_its_field(shop, cluster, owner, wrong, field) -> None:
    seen(cluster, "there")
    body = {"tenant": "shop", "cluster": cluster.pk, "name": "web", **wrong}
    answer = owner.post(ADDRESS, body, format="json")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [field]
    assert not Namespace.objects.exists()


def test_a_patch_changes_what_is_sent_and_keeps_the_rest(shop, cluster, owner) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold")
    row = namespace_of(
        shop, cluster, quota={"pods": "5", "requests.cpu": "1"}, limits={"cpu": {"limit": "1"}},
        labels={"team": "web"}, pool=gold, isolation="strict",
        exceptions=[{"kind": "monitoring", "direction": "in", "ports": []}],
    )  # fmt: skip
    address = f"{ADDRESS}{row.pk}/"
    before = owner.get(address).json()
    assert owner.patch(address, {}, format="json").json()["revision"] == 1, "nothing was changed"
    changed = owner.patch(address, {"quota": {"pods": "6"}}, format="json").json()
    assert (changed["quota"], changed["revision"]) == ({"pods": "6"}, 2)
    for name in ("limits", "labels", "pool", "isolation", "exceptions", "pod_security"):
        assert changed[name] == before[name], name
    assert owner.patch(address, {"pool": None}, format="json").json()["pool"] is None
    for fixed in ({"name": "x"}, {"tenant": "bank"}, {"cluster": 0}):
        answer = owner.patch(address, fixed, format="json")
        assert answer.status_code == 400 and list(answer.json()["errors"]) == list(fixed)
    assert owner.patch(address, [1], format="json").status_code == 400


def test_leaving_and_conflicts(shop, cluster, owner, admin_api) -> None:
    row = namespace_of(shop, cluster)
    address = f"{ADDRESS}{row.pk}/"
    assert owner.post(f"{address}mend/").status_code == 409
    assert owner.post(f"{address}accept/").status_code == 409
    move = admin_api.post(f"{address}move/", {"tenant": "shop"}, format="json")
    assert move.status_code == 409 and "already" in move.json()["detail"]
    assert admin_api.post(
        f"{address}move/", {"tenant": "nobody"}, format="json"
    ).status_code == 400  # fmt: skip
    gone = owner.delete(address)
    assert (gone.status_code, gone.json()["state"]) == (202, "deleting")
    assert owner.patch(address, {"description": "x"}, format="json").status_code == 409
    listed = owner.get(f"{ADDRESS}?state=deleting&tenant=shop&q=we").json()["results"]
    assert [item["name"] for item in listed] == ["web"]
    assert owner.get(f"{ADDRESS}?tenant={shop.pk}").json()["results"]
    assert owner.get(f"{ADDRESS}?tenant=bank").json()["results"] == []
