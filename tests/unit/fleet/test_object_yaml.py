"""The YAML tab against a real HTTPS server: asked in the reader's name, without secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone

from clusters.kube import disconnect
from clusters.models import Cluster
from console.accounts.models import User
from tests.unit.clusters.apiserver import ApiServer, Handler
from tests.unit.clusters.rows import cluster_of
from tests.unit.fleet.rows import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[Cluster]:
    made = cluster_of(server, seen=timezone.now())
    yield made
    disconnect(made.pk)


def test_it_is_asked_in_the_name_of_who_reads(
    auditor_client: Client, auditor: User, server: ApiServer, cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[tuple[str, str, list[str]]] = []
    answer = Handler.do_GET

    def noting(handler: Handler) -> None:
        headers = handler.headers
        groups = headers.get_all("Impersonate-Group") or []
        asked.append((handler.path, headers.get("Impersonate-User", ""), groups))
        answer(handler)

    monkeypatch.setattr(Handler, "do_GET", noting)
    make(cluster, "deployments.apps", "web", "shop")
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    server.paths[path] = {
        "kind": "Deployment",
        "metadata": {"name": "web", "managedFields": [{"manager": "kubectl-edit"}]},
        "spec": {"note": "<script>alert(1)</script>", "replicas": 3},
    }
    base = f"/clusters/{cluster.pk}/objects/deployments.apps/shop/web/yaml/"
    page = auditor_client.get(base).content.decode()
    assert asked == [(path, f"flotilla:user:{auditor.pk}", ["flotilla:platform:auditor"])]
    assert '<span class="fl-y-number">3</span>' in page
    assert "<script>alert" not in page
    assert "kubectl-edit" not in page
    assert "kubectl-edit" in auditor_client.get(f"{base}?managed=1").content.decode()


def test_the_page_of_a_secret_never_holds_its_values(
    admin_client: Client, server: ApiServer, cluster: Cluster
) -> None:
    make(cluster, "secrets", "login", "shop", summary={"type": "Opaque"})
    server.paths["/api/v1/namespaces/shop/secrets/login"] = {
        "kind": "Secret",
        "metadata": {"name": "login"},
        "data": {"password": "aHVudGVyMg=="},
    }
    address = f"/clusters/{cluster.pk}/objects/secrets/shop/login/yaml/?managed=1"
    page = admin_client.get(address).content.decode()
    assert "password" in page
    assert "aHVudGVyMg" not in page
    assert "hunter2" not in page


def test_what_the_cluster_refuses_is_said_with_what_is_known(
    admin_client: Client, server: ApiServer, cluster: Cluster
) -> None:
    make(cluster, "deployments.apps", "web", "shop", summary={"desired": 3})
    body = b'{"kind": "Status", "message": "deployments.apps is forbidden", "code": 403}'
    server.override = (403, {"Content-Type": "application/json"}, body)
    address = f"/clusters/{cluster.pk}/objects/deployments.apps/shop/web/yaml/"
    page = admin_client.get(address).content.decode()
    assert "forbidden" in page
    assert "desired" in page
