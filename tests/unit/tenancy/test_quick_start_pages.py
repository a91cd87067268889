"""The quick start's pages: who may, nothing typed is lost, the YAML is shown."""

from __future__ import annotations

import pytest

from clusters.models import Cluster, Origin
from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy.models import Namespace, NamespaceState, Tenant
from tests.conftest import signed_in, with_token
from tests.factories import NodeFactory, ObjectFactory, UserFactory
from tests.unit.tenancy.people import member
from tests.unit.tenancy.quota_rows import namespace_of, tenant_of, watched_cluster

pytestmark = pytest.mark.django_db

SENT = {
    "name": "cart", "image": "nginx:1", "port": "80", "service": "on", "replicas": "3",
    "cpu_request": "1", "env_rows": "3", "env_0_name": "A", "env_0_value": "a\r\n<b>",
}  # fmt: skip
MADE = {"app.kubernetes.io/managed-by": "flotilla-quick-start", "app.kubernetes.io/name": "cart"}


@pytest.fixture
def namespace() -> Namespace:
    cluster = watched_cluster(name="east", version="v1.30.1")
    NodeFactory(cluster=cluster, allocatable={"cpu": "8", "memory": "16Gi", "pods": "110"})
    quota = {"requests.cpu": "2"}
    return namespace_of(tenant_of(cluster), cluster, "web", quota=quota, applied_revision=1)


@pytest.fixture
def dora(namespace: Namespace) -> User:
    return member(namespace.tenant, "developer")


def page(namespace: Namespace) -> str:
    return f"/namespaces/{namespace.pk}/quick-start/"


def deployed(namespace: Namespace, **fields: object) -> None:
    ObjectFactory(
        cluster=namespace.cluster, namespace="web", name="cart", resource="deployments.apps",
        kind="Deployment", labels=MADE, **fields,
    )  # fmt: skip


def test_the_review_shows_yaml_and_what_is_short_and_keeps_what_was_typed(namespace, dora):
    html = signed_in(dora).post(page(namespace), {**SENT, "step": "review"}).content.decode()
    assert "kind: Deployment" in html and "kind: Service" in html
    assert "1 CPU short" in html and "Ask for more quota" in html
    for kept in ('value="nginx:1"', 'value="A"', "&lt;b&gt;</textarea>"):
        assert kept in html
    # The cluster has no credentials here: said, and nothing offered to press.
    assert 'value="apply"' not in html and "alert-danger" in html
    assert not AuditEvent.objects.filter(action="namespace.app_deployed").exists()


def test_errors_lose_nothing_and_more_rows_come(namespace, dora):
    client = signed_in(dora)
    html = client.post(page(namespace), {**SENT, "cpu_request": "x"}).content.decode()
    assert "no amount of CPU" in html and 'value="nginx:1"' in html and "&lt;b&gt;" in html
    assert "env_3_name" not in html
    html = client.post(page(namespace), {**SENT, "step": "more"}).content.decode()
    assert "env_5_name" in html and 'value="nginx:1"' in html and "invalid-feedback" not in html


def test_the_yaml_is_a_download(namespace, dora):
    answer = signed_in(dora).post(page(namespace), {**SENT, "step": "download"})
    assert "web-cart.yaml" in answer["Content-Disposition"]
    assert answer.content.startswith(b"apiVersion: apps/v1")


def test_what_was_not_looked_at_is_not_applied(namespace, dora):
    sent = {**SENT, "step": "apply", "digest": "0" * 64}
    html = signed_in(dora).post(page(namespace), sent).content.decode()
    assert "changed after you looked" in html


def test_only_who_may_deploy_comes_in(namespace, dora):
    viewer = member(namespace.tenant, "viewer")
    name = f"{page(namespace)}cart/"
    for path in (page(namespace), f"{name}edit/", f"{name}remove/"):
        assert signed_in(viewer).get(path).status_code == 403
        assert signed_in(UserFactory()).get(path).status_code == 404
    assert signed_in(viewer).get(name).status_code == 200
    assert signed_in(UserFactory()).get(name).status_code == 404
    for path in ("quick-start/", "quick-start/remove/"):
        address = f"/api/v1/namespaces/{namespace.pk}/{path}"
        sent = {"name": "a", "image": "b"}
        assert with_token(viewer).post(address, sent, format="json").status_code == 403
        assert with_token(UserFactory()).post(address, sent, format="json").status_code == 404
    here = f"/namespaces/{namespace.pk}/"
    assert page(namespace) in signed_in(dora).get(here).content.decode()
    assert page(namespace) not in signed_in(viewer).get(here).content.decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n: Tenant.objects.update(frozen=True), "is frozen"),
        (lambda n: Cluster.objects.update(origin=Origin.SYSTEM), "The console itself runs"),
        (lambda n: Namespace.objects.update(name="kube-system"), "keeps the cluster running"),
        (lambda n: Namespace.objects.update(state=NamespaceState.DELETING), "being taken away"),
        (lambda n: Namespace.objects.update(applied_revision=0), "has not made the namespace"),
    ],
)
def test_where_nothing_is_deployed_not_even_by_an_admin(namespace, admin, change, said):
    change(namespace)
    answer = signed_in(admin).get(page(namespace))
    assert answer.status_code == 403 and said in answer.content.decode()
    address = f"/api/v1/namespaces/{namespace.pk}/quick-start/"
    sent = {"name": "a", "image": "b"}
    found = with_token(admin).post(address, sent, format="json")
    assert found.status_code == 409 and said in found.json()["detail"]


def test_the_page_says_how_it_comes_up_and_why_not(namespace, dora):
    client, address = signed_in(dora), f"{page(namespace)}cart/"
    assert "has seen nothing" in client.get(address).content.decode()
    values = {"quota": "flotilla", "resource": "requests.cpu", "requested": "1", "used": "2",
              "limited": "2", "short": "1"}  # fmt: skip
    deployed(
        namespace, summary={"ready": 2, "desired": 3}, health="bad", status="Failing",
        cause={"code": "quota_exceeded", "values": values, "evidence": {}},
    )  # fmt: skip
    html = client.get(address).content.decode()
    assert "2 of 3 pods are ready." in html and "Ask for more quota" in html
    assert address in client.get(f"/namespaces/{namespace.pk}/").content.decode()


def test_removing_asks_for_the_name(namespace, dora):
    deployed(namespace)
    address = f"{page(namespace)}cart/remove/"
    html = signed_in(dora).post(address, {"confirm_name": "car"}).content.decode()
    assert "Deployment cart" in html and "This is not the name" in html
