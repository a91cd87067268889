"""Objects that are nested as deep as somebody likes: said, never a fault of the console."""

from __future__ import annotations

import base64

import pytest

from clusters.kube import UnexpectedAnswer, connect, disconnect
from clusters.models import Cluster
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.rows import cluster_of
from tests.unit.fleet.rows import make

JSON = {"Content-Type": "application/json"}
PATH = "/apis/apps/v1/namespaces/shop/deployments/web"


def raw_object(levels: int, kind: str = "Deployment", name: str = "web") -> bytes:
    nested = '{"a": [' * (levels // 2) + "1" + "]}" * (levels // 2)
    return (
        f'{{"kind": "{kind}", "apiVersion": "apps/v1", "metadata": {{"name": "{name}", '
        f'"namespace": "shop", "resourceVersion": "7", "uid": "u"}}, "spec": {nested}}}'
    ).encode()


@pytest.fixture
def server():
    with ApiServer() as running:
        yield running


@pytest.fixture
def cluster(server, db) -> Cluster:
    made = cluster_of(server)
    yield made
    disconnect(made.pk)


@pytest.mark.parametrize("levels", [140, 300, 1000])
@pytest.mark.parametrize("page", ["yaml/", "edit/", ""])
def test_pages_of_an_object_that_is_nested_deep_are_answered(
    admin_client, server, cluster, page, levels
):
    make(cluster, "deployments.apps", "web", "shop")
    server.override = (200, JSON, raw_object(levels))
    address = f"/clusters/{cluster.pk}/objects/deployments.apps/shop/web/{page}"
    answer = admin_client.get(address)
    assert answer.status_code == 200
    if page and levels > 150:
        assert "nested more than 150 levels deep" in answer.content.decode()
        assert "kubectl" in answer.content.decode()


def test_an_edit_of_such_an_object_is_refused_in_words(admin_client, server, cluster):
    make(cluster, "deployments.apps", "web", "shop")
    server.override = (200, JSON, raw_object(20))
    address = f"/clusters/{cluster.pk}/objects/deployments.apps/shop/web/edit/"
    text = admin_client.get(address).context["form"].initial["text"]
    server.override = (200, JSON, raw_object(600))
    for step in ("review", "rebase", "save"):
        answer = admin_client.post(f"{address}?step={step}", {"text": text, "base": text})
        assert answer.status_code == 200
        assert "nested more than 150 levels deep" in answer.content.decode()
    typed = "apiVersion: apps/v1\nkind: Deployment\nmetadata: " + "{a: " * 900 + "1" + "}" * 900
    answer = admin_client.post(f"{address}?step=review", {"text": typed, "base": text})
    assert "nested more than 64 levels" in answer.content.decode()


def test_lists_are_refused_too_where_they_are_held_whole(server, cluster):
    body = b'{"metadata": {"resourceVersion": "1"}, "items": [' + raw_object(400) + b"]}"
    server.override = (200, JSON, body)
    with pytest.raises(UnexpectedAnswer, match="nested more than"):
        connect(cluster).listing("/apis/apps/v1/replicasets")


@pytest.mark.parametrize("levels", [3, 5000, 100_000])
def test_a_body_that_is_nested_deep_is_the_senders_fault(admin_api, levels):
    body = "[" * levels + "]" * levels
    answer = admin_api.generic(
        "POST", "/api/v1/clusters/import/", body, content_type="application/json"
    )
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_a_place_in_a_list_that_is_nested_deep_is_passed_over(admin_client, cluster):
    make(cluster, "deployments.apps", "web", "shop")
    place = base64.urlsafe_b64encode(b"[" * 3000 + b"]" * 3000).decode()
    assert admin_client.get(f"/clusters/?after={place}").status_code == 200
