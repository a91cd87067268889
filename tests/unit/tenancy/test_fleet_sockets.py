"""Terminals, logs and live rows of a tenant's people: open in their namespaces, refused elsewhere,
and closed within a second when the right to them ends."""

from __future__ import annotations

import pytest
from channels.db import database_sync_to_async

from clusters.models import Object
from console.accounts.models import Role, User
from tenancy import members
from tenancy.models import Namespace, NamespaceState, Tenant
from tests.conftest import signed_in
from tests.factories import ClusterFactory, UserFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import ExecEndpoint, pod, pod_path, pod_row
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_terminal_websocket import opened
from tests.unit.tenancy.namespace_rows import namespace_of, tenant_of
from tests.unit.test_websockets import connect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ApiServer() as server:
        server.paths[pod_path("web")] = pod()
        yield server


@pytest.fixture
def endpoint(server) -> ExecEndpoint:
    return ExecEndpoint(server)


@pytest.fixture
def row(server, transactional_db) -> Object:
    """The pod default/web, in a namespace of the tenant shop."""
    found = pod_row(cluster_of(server))
    tenant = tenant_of(found.cluster, "shop")
    namespace_of(tenant, found.cluster, "default", state="applied", applied_revision=1)
    return found


@database_sync_to_async
def member(role: str, tenant: str = "shop") -> User:
    admin = User.objects.filter(role=Role.ADMIN).first() or UserFactory(role=Role.ADMIN)
    who = UserFactory()
    members.set_role(Tenant.objects.get(slug=tenant), who, role, by=admin)
    return who


def lower(who: User) -> None:
    admin = User.objects.get(role=Role.ADMIN)
    members.set_role(Tenant.objects.get(), who, "viewer", by=admin)


ENDS = {
    "removed": lambda who: members.remove(
        who.memberships.get(), by=User.objects.get(role=Role.ADMIN)
    ),
    "lowered": lower,
    "frozen": lambda _who: Tenant.objects.update(frozen=True),
    "released": lambda _who: Namespace.objects.update(state=NamespaceState.RELEASING),
    "moved": lambda _who: Namespace.objects.update(theirs_from=2),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_a_terminal_ends_with_the_right_to_it(row, endpoint, end) -> None:
    developer = await member("developer")
    screen = await opened(row, developer)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await database_sync_to_async(end)(developer)
    await screen.until(lambda s: False, 20)
    assert screen.code == 4403
    await screen.socket.disconnect()


@database_sync_to_async
def foreign(row: Object) -> None:
    """The pod's namespace becomes another tenant's."""
    bank = tenant_of(row.cluster, "bank")
    Namespace.objects.update(tenant=bank)
    namespace_of(
        Tenant.objects.get(slug="shop"), row.cluster, "own", state="applied", applied_revision=1
    )


async def code_of(path: str, who: User) -> int | None:
    """The code with which a websocket is closed at once."""
    socket = connect(path, await database_sync_to_async(signed_in)(who))
    assert (await socket.connect(timeout=20))[0]
    message = await socket.receive_output(timeout=20)
    await socket.disconnect()
    return message.get("code")


async def test_what_is_foreign_looks_like_what_is_not_there(row, endpoint) -> None:
    owner = await member("owner")
    await foreign(row)
    base = f"/ws/clusters/{row.cluster_id}"
    codes = [
        await code_of(f"{base}/{place}", owner)
        for place in (
            "pods/default/web/exec/", "pods/default/web/log/", "pods/nobodys/web/log/",
            "workloads/deployments.apps/default/web/log/",
        )
    ]  # fmt: skip
    assert codes == [4403] * 4
    assert await code_of(f"{base}/pods/own/missing/log/", owner) == 4404
    assert not endpoint.queries


async def test_a_viewer_gets_no_terminal(row, endpoint) -> None:
    viewer = await member("viewer")
    assert await code_of(f"/ws/clusters/{row.cluster_id}/pods/default/web/exec/", viewer) == 4403
    assert not endpoint.queries


async def test_live_rows_tell_of_their_clusters_alone(row) -> None:
    viewer = await member("viewer")
    other = await database_sync_to_async(ClusterFactory)(name="west")
    socket = connect("/ws/clusters/changes/", await database_sync_to_async(signed_in)(viewer))
    assert (await socket.connect(timeout=20))[0]
    told = await socket.receive_json_from(timeout=20)
    assert set(told["clusters"]) == {str(row.cluster_id)} and other.pk != row.cluster_id
    await database_sync_to_async(ENDS["removed"])(viewer)
    while "code" not in (message := await socket.receive_output(timeout=20)):
        pass
    assert message["code"] == 4403
    await socket.disconnect()
