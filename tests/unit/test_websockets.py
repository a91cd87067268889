"""Websockets: who may connect, from which origin, and that a right that ends ends the socket."""

from __future__ import annotations

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from console.accounts.models import Role, User
from tests.conftest import signed_in
from tests.factories import ObjectFactory, TaskFactory
from tests.routes import sockets

pytestmark = pytest.mark.django_db(transaction=True)
OURS = b"http://localhost"


def connect(path: str, client: Client | None, origin: bytes = OURS) -> WebsocketCommunicator:
    from console.asgi import application

    headers = [(b"origin", origin), (b"host", b"localhost")]
    if client is not None:
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()))
    return WebsocketCommunicator(application, path, headers=headers)


POD_SOCKETS = ("pods/default/web/log/", "pods/default/web/exec/")


@pytest.mark.parametrize("role", [None, Role.NONE, Role.AUDITOR, Role.OPERATOR])
@pytest.mark.parametrize("place", [*POD_SOCKETS, "workloads/deployments.apps/default/web/log/"])
async def test_roles_of_logs_and_terminals(role: str | None, place: str, make_user) -> None:
    client = None
    if role is not None:
        client = await database_sync_to_async(signed_in)(await make_user(role))
    socket = connect(f"/ws/clusters/1/{place}", client)
    accepted, _ = await socket.connect()
    assert accepted
    message = await socket.receive_output(timeout=3)
    # Who may look at all is told that there is no such pod.
    assert message["code"] == (4404 if role == Role.OPERATOR else 4403)
    await socket.disconnect()


@pytest.mark.parametrize("place", POD_SOCKETS)
async def test_another_site_gets_no_log_and_no_terminal(place: str, make_user) -> None:
    client = await database_sync_to_async(signed_in)(await make_user(Role.ADMIN))
    socket = connect(f"/ws/clusters/1/{place}", client, b"https://evil.example")
    accepted, _ = await socket.connect()
    assert not accepted


async def refused(socket: WebsocketCommunicator) -> bool:
    """Whether the connection is not accepted, or closed before anything is sent."""
    accepted, _ = await socket.connect()
    if not accepted:
        return True
    message = await socket.receive_output(timeout=3)
    return message["type"] == "websocket.close"


@pytest.fixture
def path() -> str:
    return f"/ws/tasks/{TaskFactory().pk}/log/"


def test_every_websocket_is_tried_here() -> None:
    pod = "ws/clusters/<int:pk>/pods/<str:namespace>/<str:name>"
    workload = "ws/clusters/<int:pk>/workloads/<str:resource>/<str:namespace>/<str:name>"
    # Of changes: tests/unit/clusters/test_changes_socket.py; of pods:
    # tests/unit/clusters/test_{log,terminal}_websocket.py.
    assert sockets() == {
        "ws/clusters/changes/": "clusters.view",
        "ws/tasks/<int:task_id>/log/": "tasks.view",
        f"{pod}/log/": "clusters.logs",
        f"{workload}/log/": "clusters.logs",
        f"{pod}/exec/": "clusters.exec",
    }


@pytest.mark.parametrize("role", [None, Role.NONE, Role.OPERATOR, Role.AUDITOR, Role.ADMIN])
async def test_roles(role: str | None, path: str, make_user) -> None:
    client = None
    if role is not None:
        client = await database_sync_to_async(signed_in)(await make_user(role))
    socket = connect(path, client)
    if role in (None, Role.NONE):
        assert await refused(socket)
    else:
        accepted, _ = await socket.connect()
        assert accepted
        assert await socket.receive_nothing(timeout=0.3)
    await socket.disconnect()


@pytest.fixture
def make_user():
    from tests.factories import UserFactory

    async def make(role: str) -> User:
        return await database_sync_to_async(UserFactory)(role=role)

    return make


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://localhost.evil.example"]
)
async def test_another_site_cannot_connect_with_the_visitors_cookies(
    path: str, make_user, origin: bytes
) -> None:
    client = await database_sync_to_async(signed_in)(await make_user(Role.ADMIN))
    socket = connect(path, client, origin)
    accepted, _ = await socket.connect()
    assert not accepted


@pytest.mark.parametrize("change", ["role", "deactivated", "signed out", "password"])
async def test_it_closes_by_itself_when_the_right_is_lost(
    path: str, make_user, change: str
) -> None:
    user = await make_user(Role.OPERATOR)
    client = await database_sync_to_async(signed_in)(user)
    socket = connect(path, client)
    accepted, _ = await socket.connect()
    assert accepted
    await asyncio.sleep(0.1)

    def lose() -> None:
        if change == "role":
            User.objects.filter(pk=user.pk).update(role=Role.NONE)
        elif change == "deactivated":
            User.objects.filter(pk=user.pk).update(is_active=False)
        elif change == "signed out":
            client.session.flush()
        else:
            user.set_password("another long sentence")
            user.save()

    await database_sync_to_async(lose)()
    message = await socket.receive_output(timeout=20)  # it looks every second
    assert (message["type"], message["code"]) == ("websocket.close", 4403)


@pytest.mark.parametrize(
    ("cookie", "accepted", "chinese"),
    [
        ("zh-hans", "", True),
        ("", "zh-CN,zh;q=0.9,en;q=0.5", True),
        ("en", "zh-CN", False),
        ("xx", "fr", False),
        ("", "", False),
    ],
)
async def test_a_websocket_speaks_the_persons_language(
    make_user, cookie: str, accepted: str, chinese: bool
) -> None:
    client = await database_sync_to_async(signed_in)(await make_user(Role.ADMIN))
    row = await database_sync_to_async(ObjectFactory)(resource="pods", namespace="default")
    path = f"/ws/clusters/{row.cluster_id}/pods/default/{row.name}/log/?container=%21"
    socket = connect(path, client)
    if cookie:
        headers = dict(socket.scope["headers"])
        named = f"; {settings.LANGUAGE_COOKIE_NAME}={cookie}".encode()
        socket.scope["headers"] = [*(headers | {b"cookie": headers[b"cookie"] + named}).items()]
    if accepted:
        socket.scope["headers"].append((b"accept-language", accepted.encode()))
    opened, _ = await socket.connect()
    assert opened
    error = json.loads((await socket.receive_output(timeout=5))["text"])["error"]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in error) == chinese, error
    await socket.disconnect()
