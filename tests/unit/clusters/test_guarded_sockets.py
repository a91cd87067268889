"""Websockets into guarded places: terminals and logs that only admins open, and how they end."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async

from clusters.models import Cluster, Object, Origin
from console.accounts.models import Role, User
from console.audit.models import AuditEvent
from tests.conftest import signed_in
from tests.factories import UserFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import ExecEndpoint, LogEndpoint, pod, pod_path, pod_row
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_log_websocket import Viewer
from tests.unit.clusters.test_terminal_websocket import events, opened
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
def log(server) -> LogEndpoint:
    return LogEndpoint(server)


@pytest.fixture
def row(server, transactional_db) -> Object:
    return pod_row(cluster_of(server))


def people() -> dict[str, User]:
    return {role: UserFactory(role=role) for role in (Role.ADMIN, Role.OPERATOR)}


@pytest.fixture
def cast(transactional_db) -> dict[str, User]:
    return people()


@pytest.fixture(params=["guarded namespace", "console's cluster"])
def held(request, row, settings) -> Object:
    """The pod default/web, in a place where operators only look."""
    if request.param == "guarded namespace":
        settings.GUARDED_NAMESPACES = ("default",)
    else:
        beside_the_console(row, "fleet")
    return row


def beside_the_console(row: Object, namespace: str) -> None:
    Cluster.objects.filter(pk=row.cluster_id).update(
        origin=Origin.SYSTEM, console_namespace=namespace
    )


async def test_an_operator_gets_no_terminal_there_is_told_why_and_it_is_recorded(
    held, endpoint, cast
) -> None:
    screen = await (await opened(held, cast[Role.OPERATOR])).until(lambda s: False)
    assert screen.code == 4403 and not endpoint.queries
    assert "Only admins" in screen.told[-1]["error"]
    assert screen.told[-1]["mend"] == "Ask a platform admin to do it."
    assert [e[:2] for e in await events()] == [("pod.terminal_opened", "failure")]


async def test_an_admin_gets_one_and_loses_it_with_the_role(held, endpoint, cast) -> None:
    admin = cast[Role.ADMIN]
    screen = await opened(held, admin)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    change = User.objects.filter(pk=admin.pk).update
    await database_sync_to_async(change)(role=Role.OPERATOR)
    await screen.until(lambda s: False, 3)
    assert screen.code == 4403 and "Only admins" in screen.told[-1]["error"]
    async with asyncio.timeout(3):
        while endpoint.open:
            await asyncio.sleep(0.02)
    await screen.socket.disconnect()
    assert [e[:2] for e in await events()] == [
        ("pod.terminal_opened", "success"), ("pod.terminal_closed", "success"),
    ]  # fmt: skip


async def test_a_terminal_ends_when_the_cluster_turns_out_to_be_the_consoles(
    row, endpoint, cast
) -> None:
    screen = await opened(row, cast[Role.OPERATOR])
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await database_sync_to_async(beside_the_console)(row, "fleet")
    await screen.until(lambda s: False, 3)
    assert screen.code == 4403
    await screen.socket.disconnect()


async def reading(row: Object, person: User) -> Viewer:
    client = await database_sync_to_async(signed_in)(person)
    socket = connect(f"/ws/clusters/{row.cluster_id}/pods/default/{row.name}/log/", client)
    accepted, _ = await socket.connect()
    assert accepted
    return Viewer(socket)


async def test_logs_are_the_operators_too(held, log, cast) -> None:
    log.write("hello")
    viewer = await reading(held, cast[Role.OPERATOR])
    await viewer.until(lambda v: v.texts == ["hello"])
    await viewer.socket.disconnect()


@pytest.mark.parametrize("known", ["default", ""])
async def test_but_not_those_of_the_console_itself(row, log, cast, known) -> None:
    await database_sync_to_async(beside_the_console)(row, known)
    log.write("hello")
    viewer = await (await reading(row, cast[Role.OPERATOR])).until(lambda v: False)
    assert viewer.code == 4403 and not viewer.lines and not log.queries
    assert "the console itself runs there" in viewer.messages[-1]["error"]
    event = await AuditEvent.objects.aget(action="pod.logs_read")
    assert event.outcome == "failure" and "Only admins" in event.reason
    viewer = await (await reading(row, cast[Role.ADMIN])).until(lambda v: v.texts == ["hello"])
    await viewer.socket.disconnect()
