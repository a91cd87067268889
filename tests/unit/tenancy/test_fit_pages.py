"""“Will it fit?” as people and scripts ask it; what is reckoned is tested in test_fit.py."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from console.accounts.models import User
from tenancy import members
from tenancy.models import Namespace, Tenant
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, NodeFactory, UserFactory

pytestmark = pytest.mark.django_db

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: nginx, image: "nginx:1", resources: {requests: {cpu: "1"}}}
"""


@pytest.fixture
def row(admin: User) -> Namespace:
    cluster = ClusterFactory(name="east")
    NodeFactory(cluster=cluster, allocatable={"cpu": "8", "memory": "16Gi", "pods": "110"})
    tenant = Tenant.objects.create(name="Shop", slug="shop")
    return Namespace.objects.create(
        tenant=tenant, cluster=cluster, name="web", quota={"requests.cpu": "2"}
    )


@pytest.fixture
def viewer(row: Namespace, admin: User) -> User:
    user = UserFactory(username="vera")
    members.set_role(row.tenant, user, "viewer", by=admin)
    return user


def test_the_number_that_blocks_is_named_and_the_text_is_kept(row: Namespace, viewer: User) -> None:
    page = f"/namespaces/{row.pk}/fit/"
    client = signed_in(viewer)
    html = client.post(page, {"text": WEB}).content.decode()
    assert "It does not fit." in html and "1 CPU short" in html
    assert "image: &quot;nginx:1&quot;" in html
    smaller = WEB.replace("replicas: 3", "replicas: 1")
    upload = SimpleUploadedFile("web.yaml", smaller.encode())
    html = client.post(page, {"file": upload}).content.decode()
    assert "It fits, as far as the console can tell." in html
    assert "replicas: 1" in html, "what was uploaded stands in the field"
    assert not Namespace.objects.exclude(pk=row.pk).exists()


def test_text_that_is_no_manifest_is_refused_with_its_line(row: Namespace, viewer: User) -> None:
    html = signed_in(viewer).post(f"/namespaces/{row.pk}/fit/", {"text": "a: [1"}).content.decode()
    assert "It fits" not in html and "It does not fit" not in html
    assert "invalid-feedback" in html and "a: [1" in html


def test_strangers_find_nothing_there(row: Namespace, viewer: User, admin: User) -> None:
    members.remove(row.tenant.memberships.get(user=viewer), by=admin)
    for user in (viewer, UserFactory()):
        assert signed_in(user).get(f"/namespaces/{row.pk}/fit/").status_code == 404
        answer = with_token(user).post(f"/api/v1/namespaces/{row.pk}/fit/", {"text": WEB})
        assert answer.status_code == 404


def test_the_same_over_rest(row: Namespace, viewer: User) -> None:
    client, address = with_token(viewer), f"/api/v1/namespaces/{row.pk}/fit/"
    found = client.post(address, {"text": WEB}, format="json").json()
    assert found["fits"] is False
    [figure] = found["figures"]
    assert figure["resource"] == "requests.cpu" and figure["short_by"] == 1000
    assert found["placements"][0]["placed"] == 3
    wrong = client.post(address, {"text": "a: [1"}, format="json")
    assert wrong.status_code == 400 and "text" in wrong.json()["errors"]
