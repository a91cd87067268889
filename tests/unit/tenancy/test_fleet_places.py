"""The fleet's pages and REST for a tenant's people: inside of their namespaces and nowhere else.

Every address that opted in (tests/routes.py, "ns" in permissions_table.txt) is visited as
stranger, former member, viewer and developer, with objects of their own and of another tenant.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from clusters.models import Origin
from console.accounts.models import Role, User
from console.ui.search import parse, search
from tenancy import namespace_actions
from tenancy.models import Namespace, NamespaceState, TenantCluster
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, UserFactory
from tests.routes import Route, routes
from tests.unit.tenancy.fleet_rows import Scene, put, scene_of

pytestmark = pytest.mark.django_db

OPEN = [route for route in routes() if route.in_namespaces]
LOOKS = ("clusters.view", "clusters.logs")


@pytest.fixture
def scene(admin) -> Scene:
    return scene_of(admin)


def address_of(route: Route, scene: Scene, namespace: str) -> str:
    """An address to the object of a namespace that the route is about."""
    resource = "deployments.apps"
    if "terminal" in route.path or "log" in route.path:
        resource = "pods"
    elif any(word in route.path for word in ("suspend", "/run/")):
        resource = "cronjobs.batch"
    values: dict[str, Any] = {
        "pk": scene.cluster.pk, "resource": resource, "namespace": namespace,
        "name": f"{namespace}-web", "revision": 1,
        "tab": "related" if "objects" in route.path else "pods",
    }  # fmt: skip
    address = route.address(values)
    # REST lists one resource at a time.
    return (
        f"{address}?resource=pods" if address.endswith(f"{scene.cluster.pk}/objects/") else address
    )


def answer(route: Route, user: User, address: str) -> Any:
    client: Client | APIClient = with_token(user) if route.is_api else signed_in(user)
    client.raise_request_exception = False
    with transaction.atomic():
        response = getattr(client, route.method.lower())(address)
        if response.streaming:
            list(response)
        transaction.set_rollback(True)
    return response


def wrong_codes(route: Route, scene: Scene, people: dict[str, User]) -> list[str]:
    own, foreign = (address_of(route, scene, name) for name in ("shop", "vault"))
    wanted: list[tuple[str, str, set[int]]] = [
        ("stranger", own, {404}),
        ("former", own, {404}),
        ("viewer", own, set() if route.permission in LOOKS else {403}),
        ("developer", own, set()),
    ]
    if "<str:namespace>" in route.path:
        wanted += [("viewer", foreign, {404}), ("developer", foreign, {404})]
        wanted += [("developer", address_of(route, scene, "nobodys"), {404})]
    if "pk>" in route.path:
        elsewhere = own.replace(
            f"clusters/{scene.cluster.pk}/", f"clusters/{scene.cluster.pk + 1}/"
        )
        wanted += [("developer", elsewhere, {404})]
    found = []
    for who, address, codes in wanted:
        code = answer(route, people[who], address).status_code
        right = code in codes if codes else code < 500 and code not in (401, 403, 404)
        # A cluster that cannot be called is a matter of the moment.
        right = right or (not codes and code == 502)
        if not right:
            found.append(f"{who}: {route.method} {address} was {code}, not {codes or 'open'}")
    return found


def test_every_address_that_opted_in(scene) -> None:
    ClusterFactory(name="west")
    people = {
        "stranger": UserFactory(username="stranger"), "former": scene.former(),
        "viewer": scene.person("viewer"), "developer": scene.person("developer"),
    }  # fmt: skip
    assert len(OPEN) > 40
    wrong = [line for route in OPEN for line in wrong_codes(route, scene, people)]
    assert not wrong, "\n".join(wrong)


def test_nothing_else_of_a_cluster_opened(scene) -> None:
    """What did not opt in answers a developer as it does anybody without a role."""
    client, pk = signed_in(scene.person("developer")), scene.cluster.pk
    for path in (
        "", f"{pk}/overview/", f"{pk}/nodes/", f"{pk}/metrics/", f"{pk}/namespaces/",
        f"{pk}/kinds/", f"{pk}/control-plane/", f"{pk}/access/", f"{pk}/manifests/",
        f"{pk}/objects/nodes/-/node-1/", f"{pk}/objects/persistentvolumes/-/pv-1/",
        f"{pk}/objects/namespaces/-/shop/", f"{pk}/objects/nodes/shop/node-1/",
        f"{pk}/objects/pods/shop/shop-web/metrics/", f"{pk}/metrics/data/",
    ):  # fmt: skip
        assert client.get(f"/clusters/{path}").status_code == 404, path
    api = with_token(scene.person("owner"))
    for path in ("", f"{pk}/", f"{pk}/nodes/", f"{pk}/metrics/", f"{pk}/kinds/"):
        assert api.get(f"/api/v1/clusters/{path}").status_code == 404, path


FOREIGN = ("vault", "pv-1", "bank")


@pytest.mark.parametrize("role", ["viewer", "owner"])
def test_no_list_and_no_page_names_what_is_foreign(scene, role) -> None:
    client, base = signed_in(scene.person(role)), f"/clusters/{scene.cluster.pk}/"
    # Whoever makes an object may claim any owner; and may be claimed by anybody.
    mine = put(
        scene.cluster, "pods", "shop", "shop-claims", owner_kind="Node", owner_name="node-1",
        uid="mine",
    )  # fmt: skip
    put(scene.cluster, "pods", "vault", "vault-claims", owner_uid="mine", owner_kind="Pod")
    pages = [
        base, *(f"{base}{tab}/" for tab in ("workloads", "pods", "network", "storage", "config")),
        f"{base}events/", f"{base}pods/?q=web", f"{base}pods/?sort=status",
        f"{base}objects/pods/shop/{mine.name}/", f"{base}objects/pods/shop/{mine.name}/related/",
        f"{base}objects/pods/shop/shop-web/events/",
    ]  # fmt: skip
    for page in pages:
        response = client.get(page)
        text = response.content.decode()
        assert response.status_code == 200, page
        assert not [word for word in FOREIGN if word in text], page
        assert "/objects/nodes/" not in text and "/objects/namespaces/" not in text, page
        assert 'href="/clusters/"' not in text, page
    pods = client.get(f"{base}pods/").content.decode()
    # Nor how many there are of the whole cluster.
    assert "shop-web" in pods and "node-1" in pods and "fl-count" not in pods
    assert "vault-web" not in client.get(f"{base}pods/?namespace=vault").content.decode()


@pytest.mark.parametrize("query", ["", "&namespace=vault", "&q=vault", "&page_size=1"])
def test_rest_lists_only_what_is_theirs(scene, query) -> None:
    api, base = with_token(scene.person("viewer")), f"/api/v1/clusters/{scene.cluster.pk}/"
    address: str | None = f"{base}objects/?resource=pods{query}"
    names = []
    while address:
        found = api.get(address).json()
        names += [row["name"] for row in found["results"]]
        address = found["next"]
    assert names == ([] if "vault" in query else ["shop-web"])
    events = api.get(f"{base}events/?x=1{query}").json()["results"]
    assert {event["namespace"] for event in events} <= {"shop"}
    assert not api.get(f"{base}objects/?resource=nodes").json()["results"]


def test_secrets_are_the_developers(scene) -> None:
    page = f"/clusters/{scene.cluster.pk}/config/"
    one = f"/clusters/{scene.cluster.pk}/objects/secrets/shop/shop-password/"
    viewer, developer = (signed_in(scene.person(role)) for role in ("viewer", "developer"))
    assert "shop-password" not in viewer.get(page).content.decode()
    assert viewer.get(one).status_code == 404
    assert "shop-password" in developer.get(page).content.decode()
    assert developer.get(one).status_code == 200
    scene.shop.frozen = True
    scene.shop.save()
    assert developer.get(one).status_code == 404


def found(user: User, text: str) -> set[str]:
    """The addresses of what a search finds, on however slow a machine."""
    groups = search(user, parse(text), 60.0).groups
    return {hit.href for group in groups for hit in group.hits if "/objects/" in hit.href}


def test_search_finds_only_what_is_theirs(scene) -> None:
    developer, former = scene.person("developer"), scene.former()
    pod = f"/clusters/{scene.cluster.pk}/objects/pods/shop/shop-web/"
    for query in ("web", "kind:pod", "ns:vault", "vault", "node:node-1", "cluster:east web"):
        hits = found(developer, query)
        assert all("/shop/shop-" in href for href in hits), query
        assert (pod in hits) == ("vault" not in query), query
        assert not found(former, query)


def opens(scene: Scene, user: User, action: str = "") -> int:
    page = f"/clusters/{scene.cluster.pk}/objects/pods/shop/shop-web/{action}"
    return signed_in(user).get(page).status_code


CLOSED = {
    "was never applied": {"applied_revision": 0, "state": "pending"},
    "is somebody else's there": {"applied_revision": 0, "state": "failed"},
    "is released": {"state": NamespaceState.RELEASING},
}


@pytest.mark.parametrize("fields", CLOSED.values(), ids=CLOSED)
def test_a_namespace_that_is_not_theirs_on_the_cluster_is_closed(scene, fields) -> None:
    developer = scene.person("developer")
    assert opens(scene, developer) == 200
    Namespace.objects.filter(pk=scene.mine.pk).update(**fields)
    assert opens(scene, developer) == 404
    assert signed_in(developer).get(f"/clusters/{scene.cluster.pk}/").status_code == 404


def test_a_moved_namespace_is_nobodys_until_the_cluster_follows(scene) -> None:
    old, new = scene.person("owner"), scene.person("owner", scene.bank)
    namespace_actions.move(scene.mine, scene.bank, by=scene.admin)
    assert (opens(scene, old), opens(scene, new)) == (404, 404)
    Namespace.objects.filter(pk=scene.mine.pk).update(applied_revision=2, state="applied")
    assert (opens(scene, old), opens(scene, new)) == (404, 200)


def test_guarded_places_stay_closed(scene, settings) -> None:
    owner = scene.person("owner")
    settings.GUARDED_NAMESPACES = ("shop",)
    assert opens(scene, owner) == 404
    settings.GUARDED_NAMESPACES = ()
    for fields in ({"console_namespace": "fleet"}, {"origin": Origin.SYSTEM}):
        with transaction.atomic():
            type(scene.cluster).objects.filter(pk=scene.cluster.pk).update(**fields)
            assert opens(scene, owner) == 404
            transaction.set_rollback(True)
    assert opens(scene, owner) == 200


def test_in_a_frozen_tenant_everybody_only_looks(scene) -> None:
    owner = scene.person("owner")
    assert opens(scene, owner, "delete/") == 200
    scene.shop.frozen = True
    scene.shop.save()
    codes = [opens(scene, owner, action) for action in ("", "log/", "terminal/", "delete/")]
    assert codes == [200, 200, 403, 403]


def test_a_viewer_there_and_developer_elsewhere_stays_a_viewer_there(scene) -> None:
    from tenancy import members

    both = scene.person("viewer")
    members.set_role(scene.bank, both, "developer", by=scene.admin)
    assert TenantCluster.objects.count() == 2
    assert (opens(scene, both), opens(scene, both, "delete/")) == (200, 403)
    page = f"/clusters/{scene.cluster.pk}/objects/pods/vault/vault-web/delete/"
    assert signed_in(both).get(page).status_code == 200


def test_buttons_and_boxes_are_those_that_work(scene) -> None:
    page = f"/clusters/{scene.cluster.pk}/objects/pods/shop/shop-web/"
    texts = {
        role: signed_in(scene.person(role)).get(page).content.decode()
        for role in ("viewer", "developer")
    }
    type(scene.cluster).objects.filter(pk=scene.cluster.pk).update(access={"state": "ok"})
    assert "/terminal/" in texts["developer"] and "/terminal/" not in texts["viewer"]
    assert f"{page}log" in texts["viewer"] or "/logs/" in texts["viewer"]
    config = f"/clusters/{scene.cluster.pk}/pods/"
    boxes = {
        user.username: 'name="objects"' in signed_in(user).get(config).content.decode()
        for user in User.objects.filter(role=Role.NONE, username__startswith="shop-")
    }
    assert boxes == {"shop-viewer": False, "shop-developer": True}
