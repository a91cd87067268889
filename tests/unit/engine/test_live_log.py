"""A viewer gets every line once and in order, whenever it comes, goes or sleeps."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import Client

from console.accounts.models import Role, User
from provisioning import logs
from provisioning.models import LogChunk, Task, TaskStatus
from provisioning.routing import websocket_urlpatterns
from tests.conftest import signed_in
from tests.factories import TaskFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
application = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))


def viewer(client: Client | None, task: Task | int, after: object = 0) -> WebsocketCommunicator:
    pk = task if isinstance(task, int) else task.pk
    cookies = client.cookies.output(header="", sep=";").strip() if client else ""
    headers = [(b"cookie", cookies.encode())] if cookies else []
    return WebsocketCommunicator(application, f"/ws/tasks/{pk}/log/?after={after}", headers)


async def collect(socket: WebsocketCommunicator, until: int | None = None) -> tuple[list[int], Any]:
    """Numbers of the lines that came, and the end frame; stops at line `until`."""
    numbers: list[int] = []
    while True:
        frame = json.loads(await socket.receive_from(timeout=5))
        if frame.get("end"):
            return numbers, frame
        numbers += [line["seq"] for line in frame["lines"]]
        if until is not None and numbers[-1] >= until:
            return numbers, None


@database_sync_to_async
def write(task: Task, count: int) -> None:
    logs.append(task, [f"line {n}" for n in range(count)])


@database_sync_to_async
def end(task: Task, status: TaskStatus = TaskStatus.SUCCEEDED) -> None:
    Task.objects.filter(pk=task.pk).update(status=status)


@database_sync_to_async
def people() -> tuple[User, Client, Task]:
    user = UserFactory(role=Role.AUDITOR)
    return user, signed_in(user), TaskFactory(status=TaskStatus.RUNNING)


async def test_lines_written_before_and_while_watching_come_once_and_in_order() -> None:
    _user, client, task = await people()
    await write(task, 700)
    socket = viewer(client, task)
    assert (await socket.connect())[0]
    numbers, _ = await collect(socket, until=700)
    for _ in range(5):
        await write(task, 123)
    await end(task)
    more, frame = await collect(socket)
    assert numbers + more == list(range(1, 700 + 5 * 123 + 1))
    assert frame == {"end": True, "status": "succeeded", "last": 700 + 5 * 123}


async def test_viewers_that_come_back_after_a_number_miss_and_double_nothing() -> None:
    _user, client, task = await people()
    await write(task, 50)
    seen: list[int] = []
    for _ in range(4):
        socket = viewer(client, task, after=seen[-1] if seen else 0)
        await socket.connect()
        await write(task, 30)
        numbers, _ = await collect(socket, until=(seen[-1] if seen else 0) + 10)
        seen += numbers
        await socket.disconnect()
    await end(task)
    socket = viewer(client, task, after=seen[-1])
    await socket.connect()
    numbers, _ = await collect(socket)
    assert seen + numbers == list(range(1, 50 + 4 * 30 + 1))


async def test_many_viewers_from_different_lines_all_end_with_everything() -> None:
    _user, client, task = await people()
    await write(task, 1000)
    sockets = [(after, viewer(client, task, after)) for after in (0, 1, 499, 500, 999, 1000)]
    for _after, socket in sockets:
        await socket.connect()
    await write(task, 77)
    await end(task)
    for after, socket in sockets:
        numbers, frame = await collect(socket)
        assert numbers == list(range(after + 1, 1078))
        assert frame["last"] == 1077


async def test_a_viewer_without_the_right_is_turned_away() -> None:
    _user, _client, task = await people()
    stranger = await database_sync_to_async(lambda: signed_in(UserFactory(role=Role.NONE)))()
    for client in (None, stranger):
        socket = viewer(client, task)
        await socket.connect()
        output = await socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4403)


async def test_losing_the_right_closes_the_socket_within_seconds() -> None:
    user, client, task = await people()
    socket = viewer(client, task)
    await socket.connect()
    await database_sync_to_async(User.objects.filter(pk=user.pk).update)(role=Role.NONE)
    output = await socket.receive_output(timeout=4)
    assert (output["type"], output["code"]) == ("websocket.close", 4403)


async def test_a_task_that_does_not_exist_says_so() -> None:
    _user, client, _task = await people()
    socket = viewer(client, 987654)
    await socket.connect()
    output = await socket.receive_output(timeout=4)
    assert (output["type"], output["code"]) == ("websocket.close", 4404)


async def test_a_log_that_cannot_be_read_ends_the_connection_instead_of_keeping_silent() -> None:
    _user, client, task = await people()
    chunk = LogChunk(task=task, first=1, last=10, body="damaged")
    await database_sync_to_async(chunk.save)()
    await database_sync_to_async(Task.objects.filter(pk=task.pk).update)(last_seq=10)
    socket = viewer(client, task, after=5)
    await socket.connect()
    output = await socket.receive_output(timeout=4)
    assert (output["type"], output["code"]) == ("websocket.close", 1011)


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 30, "٣"])
async def test_a_number_that_is_none_is_refused(after: str) -> None:
    _user, client, task = await people()
    socket = viewer(client, task, after)
    await socket.connect()
    output = await socket.receive_output(timeout=4)
    assert (output["type"], output["code"]) == ("websocket.close", 4400)


async def test_a_log_without_end_costs_one_reader_however_many_watch() -> None:
    from provisioning import live_log

    _user, client, task = await people()
    sockets = [viewer(client, task) for _ in range(5)]
    for socket in sockets:
        await socket.connect()
    await asyncio.sleep(0.3)
    tails = [tail for tail in live_log._tails.values() if tail.task_id == task.pk]
    assert len(tails) == 1 and tails[0].viewers == 5
    for socket in sockets:
        await socket.disconnect()
    await asyncio.sleep(0.1)
    assert not [tail for tail in live_log._tails.values() if tail.task_id == task.pk]
