"""What a tenant's people do on the fleet's pages, against a real kube-apiserver with its RBAC.

The console refuses what is not theirs; and where it does not, the cluster does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusters.inventory.kinds import BY_RESOURCE
from clusters.inventory.rows import row_of
from clusters.kube import Connection, Forbidden, NotFound, connect, disconnect
from clusters.kube.acting import Acting
from clusters.models import Cluster
from clusters.rights import acting
from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy import members, reconcile
from tenancy.models import Namespace, Tenant
from tests.conftest import with_token
from tests.factories import UserFactory
from tests.integration.api_server import RealApiServer, cluster_at, missing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
MINE, THEIRS = "shop-web", "bank-vault"
RESOURCE = "deployments.apps"


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
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
def shop(cluster: Cluster, conn: Connection) -> Tenant:
    """Two tenants whose namespaces reconciling has made, each with the Deployment "app"."""
    made = []
    for slug, name in (("shop", MINE), ("bank", THEIRS)):
        tenant = Tenant.objects.create(name=slug, slug=slug)
        made.append(Namespace.objects.create(tenant=tenant, cluster=cluster, name=name))
    reconcile.keep(cluster, conn, lambda: None)
    for row in made:
        row.refresh_from_db()
        assert row.applied_revision, row.state_reason
        deploy(cluster, conn, row.name)
    return made[0].tenant


def path_of(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/app"


def deploy(cluster: Cluster, conn: Connection, namespace: str) -> None:
    """A Deployment of one replica, and its row as the watcher writes it."""
    labels = {"app": "app"}
    pod = {"containers": [{"name": "app", "image": "nginx"}]}
    spec = {
        "replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }  # fmt: skip
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec,
        "metadata": {"name": "app", "namespace": namespace},
    }  # fmt: skip
    conn.apply(path_of(namespace), body)
    live = conn.get_json(path_of(namespace))
    row = row_of(cluster.pk, BY_RESOURCE[RESOURCE], "apps/v1", live)
    assert row is not None
    row.save()


def member(tenant: Tenant, role: str, admin: User) -> User:
    user = UserFactory(username=f"{tenant.slug}-{role}")
    members.set_role(tenant, user, role, by=admin)
    return user


def bypassing(cluster: Cluster, user: User) -> Acting:
    """In the person's name, without the console's own look at where they may go."""
    return Acting(connect(cluster), acting(user))


def until_allowed(cluster: Cluster, user: User) -> None:
    """The authorizer hears of new roles by a watch."""
    ends = time.monotonic() + 60
    while True:
        try:
            bypassing(cluster, user).get_json(path_of(MINE))
            return
        except Forbidden:
            assert time.monotonic() < ends
            time.sleep(0.2)


def replicas(conn: Connection, namespace: str) -> int:
    found: int = conn.get_json(path_of(namespace))["spec"]["replicas"]
    return found


def address(cluster: Cluster, namespace: str) -> str:
    return f"/api/v1/clusters/{cluster.pk}/objects/{RESOURCE}/{namespace}/app/"


def test_a_developer_scales_edits_and_deletes_in_their_own(cluster, conn, shop, admin) -> None:
    dora = member(shop, "developer", admin)
    until_allowed(cluster, dora)
    api, mine, theirs = with_token(dora), address(cluster, MINE), address(cluster, THEIRS)

    answer = api.post(f"{mine}scale/", {"replicas": 3}, format="json")
    assert answer.status_code == 200, answer.content
    assert (replicas(conn, MINE), replicas(conn, THEIRS)) == (3, 1)

    read = api.get(f"{mine}yaml/").json()
    changed = read["yaml"].replace("image: nginx", "image: nginx:1.27")
    sent = {"yaml": changed, "resource_version": read["resource_version"]}
    answer = api.post(f"{mine}edit/", sent, format="json")
    assert answer.status_code == 200, answer.content
    [container] = conn.get_json(path_of(MINE))["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "nginx:1.27"

    elsewhere = changed.replace(f"namespace: {MINE}", f"namespace: {THEIRS}")
    sent = {**sent, "yaml": elsewhere}
    assert api.post(f"{mine}edit/", sent, format="json").status_code == 400
    assert api.post(f"{theirs}scale/", {"replicas": 0}, format="json").status_code == 404
    assert api.get(f"{theirs}yaml/").status_code == 404
    assert api.delete(theirs).status_code == 404
    assert replicas(conn, THEIRS) == 1

    answer = api.delete(mine)
    assert answer.status_code == 200, answer.content
    with pytest.raises(NotFound):
        conn.get_json(path_of(MINE))
    done = AuditEvent.objects.filter(actor=dora, outcome="success", action__startswith="object.")
    assert {"object.scaled", "object.edited", "object.deleted"} <= set(
        done.values_list("action", flat=True)
    )


def refused(cluster: Cluster, user: User, call: Callable[[Acting], Any]) -> None:
    """The cluster itself says no, naming the person as it knows them."""
    with pytest.raises(Forbidden, match=f"flotilla:user:{user.pk}"):
        call(bypassing(cluster, user))


def test_the_cluster_refuses_what_the_console_would_not_have_asked(
    cluster, conn, shop, admin
) -> None:
    dora, vera = member(shop, "developer", admin), member(shop, "viewer", admin)
    for who in (dora, vera):
        until_allowed(cluster, who)
    scaled = {"spec": {"replicas": 9}}
    theirs = f"/api/v1/namespaces/{THEIRS}"
    for call in (
        lambda c: c.get_json(path_of(THEIRS)),
        lambda c: c.merge_patch(path_of(THEIRS), scaled),
        lambda c: c.delete(path_of(THEIRS)),
        lambda c: c.get_json(f"{theirs}/secrets"),
        lambda c: c.get_json("/api/v1/pods"),
        lambda c: c.get_json("/api/v1/nodes"),
        lambda c: c.delete(f"/api/v1/namespaces/{MINE}"),
        lambda c: c.delete(f"/api/v1/namespaces/{MINE}/resourcequotas/flotilla"),
    ):
        refused(cluster, dora, call)
    for call in (
        lambda c: c.merge_patch(path_of(MINE), scaled),
        lambda c: c.delete(path_of(MINE)),
        lambda c: c.get_json(f"/api/v1/namespaces/{MINE}/secrets"),
    ):
        refused(cluster, vera, call)
    api, mine = with_token(vera), address(cluster, MINE)
    assert api.get(f"{mine}yaml/").status_code == 200
    assert api.post(f"{mine}scale/", {"replicas": 9}, format="json").status_code == 403
    assert (replicas(conn, MINE), replicas(conn, THEIRS)) == (1, 1)
