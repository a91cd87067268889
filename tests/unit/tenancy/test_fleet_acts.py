"""What a tenant's people do in their namespaces over REST: in whose name the cluster is called,
what it is never asked, and that the audit log names them."""

from __future__ import annotations

import pytest

from clusters.operate import NotAllowed, connection
from console.audit.models import AuditEvent
from tenancy import members
from tests.conftest import with_token
from tests.factories import ObjectFactory
from tests.unit.operations.conftest import (  # noqa: F401 -- fixtures
    DEPLOYMENT,
    authority,
    calls,
    cluster,
    server,
    web,
)
from tests.unit.tenancy.fleet_rows import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(cluster, web, admin) -> Scene:  # noqa: F811
    """The scene on the scripted cluster, which has the Deployment shop/web."""
    return Scene(cluster, admin)


def objects(scene: Scene, namespace: str, name: str) -> str:
    return f"/api/v1/clusters/{scene.cluster.pk}/objects/deployments.apps/{namespace}/{name}/"


def test_a_developer_acts_in_the_tenants_group(scene, calls) -> None:  # noqa: F811
    developer = scene.person("developer")
    answer = with_token(developer).post(
        f"{objects(scene, 'shop', 'web')}scale/", {"replicas": 3}, format="json"
    )
    assert answer.status_code == 200, answer.content
    change = calls.changes[-1]
    assert change["path"] == f"{DEPLOYMENT}/scale"
    assert change["user"] == f"flotilla:user:{developer.pk}"
    assert change["groups"] == ["flotilla:tenant:shop:developer"]
    event = AuditEvent.objects.get(action="object.scaled")
    assert (event.outcome, event.actor) == ("success", developer)


def test_nothing_is_asked_of_the_cluster_elsewhere(scene, calls) -> None:  # noqa: F811
    developer, viewer = scene.person("developer"), scene.person("viewer")
    before = len(calls.made)
    for who, namespace, code in (
        (developer, "vault", 404), (viewer, "vault", 404), (viewer, "shop", 403),
    ):  # fmt: skip
        base = objects(scene, namespace, f"{namespace}-web")
        api = with_token(who)
        for path, body in (
            ("scale/", {"replicas": 0}),
            ("restart/", {}),
            ("edit/", {"yaml": "a: 1"}),
        ):
            assert api.post(f"{base}{path}", body, format="json").status_code == code, path
        assert api.delete(base).status_code == code
    assert len(calls.made) == before


def test_one_foreign_object_among_ones_own(scene, calls) -> None:  # noqa: F811
    """Each has its own result; what is another's is as if it were not there."""
    both = scene.person("developer")
    members.set_role(scene.bank, both, "viewer", by=scene.admin)
    stranger = with_token(scene.person("admin"))
    words = ["deployments.apps/shop/web", "deployments.apps/vault/vault-web", "nodes/-/node-1"]
    address = f"/api/v1/clusters/{scene.cluster.pk}/bulk/"
    body = {"action": "scale", "objects": words, "replicas": 5}
    found = stranger.post(address, body, format="json").json()["results"]
    assert [one["status"] for one in found] == [200, 404, 404]
    # Seen, since they are a viewer there, and not theirs to change.
    found = with_token(both).post(address, body, format="json").json()["results"]
    assert [one["status"] for one in found] == [200, 403, 404]
    assert {call["path"] for call in calls.changes} == {f"{DEPLOYMENT}/scale"}


@pytest.mark.parametrize("line", ["namespace: vault", "namespace: kube-system", "name: other"])
def test_an_edit_stays_with_its_object(scene, calls, line) -> None:  # noqa: F811
    api, base = with_token(scene.person("developer")), objects(scene, "shop", "web")
    text = api.get(f"{base}yaml/").json()["yaml"]
    for key in ("namespace: shop", "name: web"):
        if key.partition(":")[0] == line.partition(":")[0]:
            text = text.replace(f"  {key}\n", f"  {line}\n")
    assert line in text
    answer = api.post(f"{base}edit/", {"yaml": text}, format="json")
    assert answer.status_code == 400 and not calls.changes


def test_a_connection_goes_no_further_than_the_person(scene) -> None:
    """Whatever a page might ask by mistake: each call's path is looked at."""
    conn = connection(scene.cluster, scene.person("developer"))
    for path in (
        "/api/v1/namespaces/vault/pods/vault-web", "/api/v1/nodes/node-1", "/api/v1/pods",
        "/apis/apps/v1/namespaces/kube-system/deployments/dns", "/api/v1/secrets",
        "/api/v1/namespaces/shop",
    ):  # fmt: skip
        if path.endswith("/shop"):
            continue  # the namespace itself is theirs to look at
        with pytest.raises(NotAllowed):
            conn.get_json(path)
    conn = connection(scene.cluster, scene.person("viewer"))
    with pytest.raises(NotAllowed):
        conn.delete("/api/v1/namespaces/shop/pods/shop-web")


def test_the_namespaces_page_leads_to_its_lists(scene, sign_in) -> None:
    page = sign_in(scene.person("viewer")).get(f"/namespaces/{scene.mine.pk}/").content.decode()
    for tab in ("workloads", "pods", "events"):
        assert f"/clusters/{scene.cluster.pk}/{tab}/?namespace=shop" in page
    type(scene.mine).objects.filter(pk=scene.mine.pk).update(applied_revision=0, state="failed")
    ObjectFactory(cluster=scene.cluster, namespace="shop", name="somebody-elses")
    client = sign_in(scene.person("owner"))
    text = client.get(f"/namespaces/{scene.mine.pk}/").content.decode()
    assert "?namespace=shop" not in text and "in shop" not in text
    assert "somebody" not in client.get(f"/namespaces/{scene.mine.pk}/contents/").content.decode()
