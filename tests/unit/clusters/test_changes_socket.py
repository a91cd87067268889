"""The websocket of changed clusters: who hears of which, when, and for how long."""

from __future__ import annotations

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from django.db.models import F

from clusters import live_changes
from clusters.models import Cluster, ClusterStatus
from console.accounts.models import Role, User
from console.live import guarded
from tests.conftest import signed_in
from tests.factories import ClusterFactory, UserFactory
from tests.unit.test_websockets import connect, refused

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/ws/clusters/changes/"


@database_sync_to_async
def person(role: str):
    user = UserFactory(role=role)
    return user, signed_in(user)


@database_sync_to_async
def clusters(number: int) -> list[int]:
    return [ClusterFactory(changes=n).pk for n in range(number)]


@database_sync_to_async
def move(pk: int, **values: object) -> None:
    Cluster.objects.filter(pk=pk).update(**(values or {"changes": F("changes") + 1}))


async def hear(socket) -> dict:
    return json.loads(await socket.receive_from(timeout=3))["clusters"]


@pytest.mark.parametrize("role", [None, Role.NONE, Role.OPERATOR, Role.AUDITOR, Role.ADMIN])
async def test_roles(role):
    client = None if role is None else (await person(role))[1]
    socket = connect(PATH, client)
    if role in (None, Role.NONE):
        assert await refused(socket)
    else:
        assert (await socket.connect())[0]
        assert await hear(socket) == {}
    await socket.disconnect()


async def test_it_tells_where_things_stand_and_then_what_moves():
    one, two, three = await clusters(3)
    _user, client = await person(Role.AUDITOR)
    socket = connect(f"{PATH}?clusters={one},{two}", client)
    await socket.connect()
    assert await hear(socket) == {str(one): 0, str(two): 1}
    await move(three)
    await move(two)
    assert await hear(socket) == {str(two): 2}, "and nothing of a cluster that was not asked for"
    await move(one, status=ClusterStatus.UNREACHABLE)
    assert await hear(socket) == {str(one): 0}
    await database_sync_to_async(Cluster.objects.filter(pk=one).delete)()
    assert await hear(socket) == {str(one): None}
    assert await socket.receive_nothing(timeout=0.5)
    await socket.disconnect()


async def test_without_a_choice_it_is_all_clusters_and_new_ones_too():
    await clusters(2)
    _user, client = await person(Role.AUDITOR)
    socket = connect(PATH, client)
    await socket.connect()
    assert len(await hear(socket)) == 2
    [made] = await clusters(1)
    assert await hear(socket) == {str(made): 0}
    await socket.disconnect()


@pytest.mark.parametrize("query", ["x", "1;2", "-1", "1" * 30, ",".join("7" * 201)])
async def test_bad_ids_are_refused(query):
    _user, client = await person(Role.AUDITOR)
    socket = connect(f"{PATH}?clusters={query}", client)
    await socket.connect()
    message = await socket.receive_output(timeout=3)
    assert (message["type"], message["code"]) == ("websocket.close", 4400)


async def test_another_site_cannot_connect():
    _user, client = await person(Role.ADMIN)
    socket = connect(PATH, client, b"https://evil.example")
    assert not (await socket.connect())[0]


@pytest.mark.parametrize("change", ["role", "deactivated", "signed out"])
async def test_it_closes_soon_after_the_right_is_lost(change):
    user, client = await person(Role.OPERATOR)
    socket = connect(PATH, client)
    await socket.connect()
    await hear(socket)

    def lose() -> None:
        if change == "role":
            User.objects.filter(pk=user.pk).update(role=Role.NONE)
        elif change == "deactivated":
            User.objects.filter(pk=user.pk).update(is_active=False)
        else:
            client.session.flush()

    await database_sync_to_async(lose)()
    message = await socket.receive_output(timeout=20)
    assert (message["type"], message["code"]) == ("websocket.close", 4403)


async def test_any_number_of_pages_are_one_reader_which_ends_with_the_last():
    [pk] = await clusters(1)
    _user, client = await person(Role.AUDITOR)
    sockets = [connect(PATH, client) for _ in range(5)]
    for socket in sockets:
        await socket.connect()
        await hear(socket)
    loop = id(asyncio.get_running_loop())
    reader = live_changes._known[loop].reader
    await move(pk)
    for socket in sockets:
        assert await hear(socket) == {str(pk): 1}
    assert live_changes._known[loop].reader is reader
    for socket in sockets:
        await socket.disconnect()
    assert loop not in live_changes._known
    await asyncio.sleep(0)
    assert reader is not None
    assert reader.cancelled() or reader.cancelling()


async def test_one_person_has_so_many_sockets_and_no_more(monkeypatch):
    """Each asks the database again and again: a thousand of an auditor's stopped the console."""
    monkeypatch.setattr(guarded, "MOST_SOCKETS", 2)
    _user, client = await person(Role.AUDITOR)
    mine = [connect(PATH, client) for _ in range(2)]
    for socket in mine:
        await socket.connect()
        assert await hear(socket) == {}
    third = connect(PATH, client)
    await third.connect()
    assert (await third.receive_output(timeout=3))["code"] == 4429
    await third.disconnect()
    _user, another = await person(Role.AUDITOR)
    theirs = connect(PATH, another)
    await theirs.connect()
    assert await hear(theirs) == {}
    await mine.pop().disconnect()
    fourth = connect(PATH, client)
    await fourth.connect()
    assert await hear(fourth) == {}
    for socket in (*mine, theirs, fourth):
        await socket.disconnect()
