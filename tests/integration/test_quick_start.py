"""The quick start against a real kube-apiserver: in a developer's name, and in no other."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from clusters.kube import Connection, Forbidden, NotFound, disconnect
from clusters.models import Cluster
from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy import members, quick_start_actions, reconcile
from tenancy.models import Namespace, Tenant
from tenancy.quick_start import App, Variable, manifests
from tests.conftest import signed_in, with_token
from tests.factories import UserFactory
from tests.integration.api_server import RealApiServer, cluster_at, missing

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(600)]

ODD = ("yes", "1", "null", "~", "a\nb\n", "'\"", "$(X)", "雪 ☃", "- a: b", " x ", "", "#", "1e3")
APPS = (
    App("plain", "nginx"),
    App(
        "full", "registry.example:5000/shop/cart@sha256:" + "a" * 64, command=("sh", "-c", "x y"),
        arguments=("'", ""), replicas=1, port=8080, service_port=80, cpu_request="100m",
        cpu_limit="1", memory_request="64Mi", memory_limit="1Gi", run_as_user=1000,
        environment=(
            *(Variable(f"V{n}", value) for n, value in enumerate(ODD)),
            Variable("SECRET", secret="pass.word", key="k_e-y.1"),
        ),
        host="a.b.example", path="/x", ingress_class="public", mount_path="/data",
        volume_size="1Gi", storage_class="fast",
    ),
    App("stopped", "nginx", replicas=0, port=1, service_port=65535),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    if why := missing():
        pytest.skip(why)
    with RealApiServer() as running:
        yield running


@pytest.fixture
def conn(server: RealApiServer) -> Connection:
    return server.connection()


@pytest.fixture
def cluster(server: RealApiServer) -> Iterator[Cluster]:
    row = cluster_at(server)
    yield row
    disconnect(row.pk)


@pytest.fixture
def namespace(cluster: Cluster, conn: Connection) -> Namespace:
    tenant = Tenant.objects.create(name="Shop", slug="shop", ingress_classes=["public"])
    row = Namespace.objects.create(
        tenant=tenant, cluster=cluster, name="shop-web", quota={"count/deployments.apps": "9"}
    )
    reconcile.keep(cluster, conn, lambda: None)
    row.refresh_from_db()
    assert row.applied_revision, row.state_reason
    return row


@pytest.fixture
def dora(namespace: Namespace, admin: User) -> User:
    user = UserFactory(username="dora")
    members.set_role(namespace.tenant, user, "developer", by=admin)
    _until_allowed(namespace, user)
    return user


def _until_allowed(namespace: Namespace, user: User) -> None:
    """The authorizer hears of new roles by a watch, quota's admission of a new status too."""
    ends = time.monotonic() + 60
    path = f"/api/v1/namespaces/{namespace.name}/services"
    while True:
        try:
            quick_start_actions.connection(namespace, user).get_json(path)
            break
        except Forbidden:
            assert time.monotonic() < ends
            time.sleep(0.2)


def count_like_the_controller(conn: Connection, namespace: Namespace) -> None:
    """What the quota controller does, which does not run here."""
    path = f"/api/v1/namespaces/{namespace.name}/resourcequotas"
    for quota in conn.listing(path).items:
        hard = quota["spec"]["hard"]
        status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
        conn.merge_patch(f"{path}/{quota['metadata']['name']}/status", {"status": status})


def deployment(conn: Connection, name: str) -> dict:
    return conn.get_json(f"/apis/apps/v1/namespaces/shop-web/deployments/{name}")


def test_a_developer_deploys_changes_and_removes(server, conn, namespace, dora, admin):
    count_like_the_controller(conn, namespace)
    _takes_every_kind_of_application(namespace, dora)
    _round_by_the_api(conn, namespace, dora)
    _leaves_what_others_made(conn, namespace, dora)
    _stops_with_the_right(namespace, dora, admin)


def _takes_every_kind_of_application(namespace, dora):
    for app in APPS:
        for level in ("privileged", "baseline", "restricted"):
            namespace.pod_security = level
            result = quick_start_actions.try_out(namespace, app, dora, new=True)
            assert not result.failed, [one.error for one in result.outcomes]
            assert result.new and len(result.outcomes) == len(manifests(app, level))
        quick_start_actions.deploy(namespace, app, by=dora, new=True)
        assert quick_start_actions.load(namespace, app.name, dora) == app
    event = AuditEvent.objects.filter(action="namespace.app_deployed").latest("pk")
    assert event.actor == dora and event.after["image"] == "nginx"
    told = str([(e.before, e.after, e.reason) for e in AuditEvent.objects.all()])
    assert "雪" not in told and "V7" in told, "names of variables, not their values"


def _round_by_the_api(conn, namespace, dora):
    client, address = with_token(dora), f"/api/v1/namespaces/{namespace.pk}/quick-start/"
    sent = {
        "name": "cart", "image": "nginx:1", "port": 80, "cpu_request": "0.5",
        "environment": [{"name": "A", "value": "yes"}, {"name": "B", "value": "2"}],
    }  # fmt: skip
    tried = client.post(f"{address}?dry_run=true", sent, format="json")
    assert tried.status_code == 200, tried.content
    assert tried.json()["dry_run"] is True and "kind: Deployment" in tried.json()["yaml"]
    with pytest.raises(NotFound):
        deployment(conn, "cart")
    assert client.post(address, sent, format="json").status_code == 200
    live = deployment(conn, "cart")
    assert live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "yes"
    assert conn.get_json("/api/v1/namespaces/shop-web/services/cart")
    # What is not sent stays; a Service that is not wanted any more goes, a variable too.
    less = {"name": "cart", "replicas": 3, "service": False, "environment": sent["environment"][1:]}
    changed = client.post(address, less, format="json")
    assert changed.status_code == 200 and changed.json()["removed"] == ["Service cart"]
    live = deployment(conn, "cart")
    container = live["spec"]["template"]["spec"]["containers"][0]
    assert live["spec"]["replicas"] == 3 and container["image"] == "nginx:1"
    assert [one["name"] for one in container["env"]] == ["B"]
    assert container["resources"]["requests"] == {"cpu": "500m"}
    with pytest.raises(NotFound):
        conn.get_json("/api/v1/namespaces/shop-web/services/cart")
    again = client.post(address, {**sent, "new": True}, format="json")
    assert again.status_code == 409 and "there already" in again.json()["detail"]
    gone = client.post(f"{address}remove/", {"name": "cart"}, format="json")
    assert gone.json() == {"removed": ["Deployment cart"]}
    with pytest.raises(NotFound):
        deployment(conn, "cart")


def _leaves_what_others_made(conn, namespace, dora):
    path = "/api/v1/namespaces/shop-web/services/theirs"
    port = {"ports": [{"port": 1, "protocol": "TCP"}], "selector": {"app": "theirs"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs"}, "spec": port}
    conn.apply(path, service)
    page = f"/namespaces/{namespace.pk}/quick-start/"
    sent = {"name": "theirs", "image": "nginx", "port": "80", "service": "on", "replicas": "1"}
    html = signed_in(dora).post(page, {**sent, "step": "review"}).content.decode()
    assert "was not made by quick start" in html and 'value="theirs"' in html
    assert 'value="apply"' not in html
    with pytest.raises(NotFound):
        deployment(conn, "theirs")
    assert quick_start_actions.remove(namespace, "theirs", by=dora) == []
    assert conn.get_json(path)["spec"]["selector"] == {"app": "theirs"}


def _stops_with_the_right(namespace, dora, admin):
    members.set_role(namespace.tenant, dora, "viewer", by=admin)
    with pytest.raises(quick_start_actions.QuickStartRefusedError, match="may not deploy"):
        quick_start_actions.deploy(namespace, APPS[0], by=dora, new=False)
    assert AuditEvent.objects.filter(action="namespace.app_deployed", outcome="failure").exists()
