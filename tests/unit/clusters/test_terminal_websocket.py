"""The websocket of a terminal: bytes both ways, limits, audit, and its end with the right to it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from clusters import consumers_exec, terminal_audit
from clusters.models import Object, OpenTerminal
from console.accounts.models import Role, User
from console.audit.models import AuditEvent
from tests.conftest import signed_in
from tests.factories import UserFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import ExecEndpoint, pod_row
from tests.unit.clusters.rows import cluster_of
from tests.unit.test_websockets import connect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture
def endpoint(server) -> ExecEndpoint:
    return ExecEndpoint(server)


@pytest.fixture
def row(server, transactional_db) -> Object:
    return pod_row(cluster_of(server))


@pytest.fixture
def person(transactional_db) -> User:
    return UserFactory(role=Role.OPERATOR)


class Screen:
    """A browser with a terminal."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.socket = socket
        self.text = b""
        self.frames = 0
        self.told: list[dict] = []
        self.code = 0

    async def until(self, done, seconds: float = 8, acks: bool = True) -> Screen:
        async with asyncio.timeout(seconds):
            while not done(self) and not self.code:
                message = await self.socket.receive_output(timeout=seconds)
                if message["type"] == "websocket.close":
                    self.code = message.get("code", 1000)
                elif message.get("bytes"):
                    self.text += message["bytes"]
                    self.frames += 1
                    if acks:
                        await self.say(ack=self.frames)
                else:
                    self.told.append(json.loads(message["text"]))
        return self

    async def say(self, **message) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def type(self, text: str) -> None:
        await self.socket.send_to(bytes_data=text.encode())


async def opened(row: Object, person: User, query: str = "container=main") -> Screen:
    client = await database_sync_to_async(signed_in)(person)
    socket = connect(f"/ws/clusters/{row.cluster_id}/pods/default/{row.name}/exec/?{query}", client)
    accepted, _ = await socket.connect()
    assert accepted
    return Screen(socket)


@database_sync_to_async
def events() -> list[tuple[str, str, dict]]:
    rows = AuditEvent.objects.filter(action__startswith="pod.terminal").order_by("pk")
    return [(e.action, e.outcome, e.after) for e in rows]


@database_sync_to_async
def one_request() -> set[str]:
    rows = AuditEvent.objects.filter(action__startswith="pod.terminal")
    return set(rows.values_list("request_id", flat=True))


async def test_it_types_resizes_exits_and_is_recorded_without_what_was_typed(
    row, endpoint, person
) -> None:
    screen = await opened(row, person, "container=main&columns=100&rows=30")
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await screen.type("size\r")
    await screen.until(lambda s: b"30 100" in s.text)
    await screen.say(resize=[132, 43])
    await screen.type("size\r")
    await screen.until(lambda s: b"43 132" in s.text)
    await screen.type("split\r")
    await screen.until(lambda s: "鯨".encode() in s.text)
    await screen.type("exit 7\r")
    await screen.until(lambda s: False)
    assert screen.told[-1] == {"exit": 7, "message": ""}
    assert endpoint.sizes == [(100, 30), (132, 43)]
    await screen.socket.disconnect()
    opening, closing = await events()
    assert opening[:2] == ("pod.terminal_opened", "success")
    assert opening[2] == {"container": "main", "shell": "auto"}
    assert closing[2]["why"] == "exited" and closing[2]["exit_code"] == 7
    assert closing[2]["seconds"] >= 0
    assert "split" not in str(opening) + str(closing)
    ids = await one_request()
    assert len(ids) == 1 and "" not in ids, "opening and closing are of one request"
    assert dict(endpoint.headers[0])["Audit-ID"].startswith(f"{ids.pop()}.")


async def test_the_shell_that_was_chosen_is_asked_for_and_no_other(row, endpoint, person) -> None:
    screen = await opened(row, person, "container=main&shell=ash")
    await screen.until(lambda s: bool(s.text))
    assert endpoint.queries[0]["command"] == ["env", "TERM=xterm-256color", "ash"]
    await screen.socket.disconnect()
    screen = await opened(row, person, "shell=rm%20-rf")
    assert (await screen.until(lambda s: False)).code == 4400
    assert len(endpoint.queries) == 1


async def test_a_program_that_prints_without_end_waits_for_the_browser(
    row, endpoint, person
) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await screen.type("yes\r")
    with pytest.raises(TimeoutError):
        await screen.until(lambda s: False, 3, acks=False)
    # Not more than its frames reach a browser that does not draw them.
    assert screen.frames <= consumers_exec.FRAMES + 2
    assert endpoint.printed < 16 * 1024 * 1024
    before = len(screen.text)
    await screen.say(ack=screen.frames)
    await screen.until(lambda s: len(s.text) > before + 500_000)
    endpoint.stop = True
    await screen.socket.disconnect()


@pytest.mark.parametrize("change", ["role", "inactive", "cluster"])
async def test_it_ends_within_a_second_when_the_right_ends(row, endpoint, person, change) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))

    def lose() -> None:
        if change == "role":
            User.objects.filter(pk=person.pk).update(role=Role.AUDITOR)
        elif change == "inactive":
            User.objects.filter(pk=person.pk).update(is_active=False)
        else:
            row.cluster.delete()

    await database_sync_to_async(lose)()
    await screen.until(lambda s: False, 3)
    assert screen.code == (4404 if change == "cluster" else 4403)
    # The program has lost its terminal although the browser never said goodbye.
    async with asyncio.timeout(3):
        while endpoint.open:
            await asyncio.sleep(0.02)
    await screen.socket.disconnect()
    assert (await events())[-1][2]["why"] == "right ended"
    assert consumers_exec.terminals.used == 0 and not consumers_exec.by_user[person.pk]


async def test_a_browser_that_leaves_ends_the_program(row, endpoint, person) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await screen.socket.disconnect()
    async with asyncio.timeout(3):
        while endpoint.open:
            await asyncio.sleep(0.02)
    # Some runtimes end nothing when a connection ends: the shell is told to, too.
    assert endpoint.typed == b"\x03\x04"
    assert (await events())[-1][2]["why"] == "left"


async def test_nothing_typed_for_too_long_closes_it(row, endpoint, person, settings) -> None:
    settings.TERMINAL_IDLE_SECONDS = 2
    screen = await opened(row, person)
    await screen.until(lambda s: False)
    assert [next(iter(t)) for t in screen.told] == ["open", "idle_in", "closed"]
    assert (await events())[-1][2]["why"] == "idle"


async def test_open_for_too_long_closes_it(row, endpoint, person, settings) -> None:
    settings.TERMINAL_MAX_SECONDS = 1
    screen = await opened(row, person)
    await screen.until(lambda s: False)
    assert screen.told[-1] == {"closed": "open too long"}


async def test_the_clusters_refusal_is_shown_and_recorded(row, endpoint, person) -> None:
    endpoint.refuses = (403, "pods/exec is forbidden")
    screen = await (await opened(row, person)).until(lambda s: False)
    assert "pods/exec is forbidden" in screen.told[-1]["error"]
    assert [e[:2] for e in await events()] == [("pod.terminal_opened", "failure")]


async def test_a_connection_that_is_cut_is_said(server, row, endpoint, person) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    server.cut()
    await screen.until(lambda s: False)
    assert "cut" in screen.told[-1]["error"]
    assert (await events())[-1][2]["why"] == "connection cut"


async def test_so_many_for_a_person_and_for_the_process(row, endpoint, person, settings) -> None:
    settings.TERMINALS_PER_USER = 1
    first = await opened(row, person)
    await first.until(lambda s: bool(s.text))
    second = await (await opened(row, person)).until(lambda s: False)
    assert second.code == 4429 and "1 terminals open already" in second.told[-1]["error"]
    other = await database_sync_to_async(UserFactory)(role=Role.ADMIN)
    settings.TERMINALS = 1
    third = await (await opened(row, other)).until(lambda s: False)
    assert third.code == 4429 and "FLOTILLA_TERMINALS" in third.told[-1]["mend"]
    await first.socket.disconnect()


async def test_a_paste_that_nobody_reads_does_not_fill_the_memory(row, endpoint, person) -> None:
    endpoint.program = lambda wire, _endpoint: __import__("time").sleep(5)
    screen = await opened(row, person)
    await screen.until(lambda s: {"open": True} in s.told)
    for _piece in range(400):
        await screen.socket.send_to(bytes_data=b"x" * 60_000)
    await screen.until(lambda s: False)
    assert screen.code == 4400


async def test_nonsense_from_the_browser_changes_nothing(row, endpoint, person) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    for text in ("null", "[]", "{", '{"resize": [0, -1]}', '{"resize": "x"}', '{"ack": 1e99}'):
        await screen.socket.send_to(text_data=text)
    await screen.type("size\r")
    await screen.until(lambda s: b"24 80" in s.text)
    await screen.socket.disconnect()


async def test_messages_without_bytes_do_not_pile_up_either(row, server, endpoint, person) -> None:
    """New sizes had no weight: while a cluster hung, a browser could fill the memory with them."""
    server.delay = 40
    screen = await opened(row, person)
    for number in range(consumers_exec.PENDING_BYTES // consumers_exec.ENTRY_BYTES + 2):
        await screen.say(resize=[80 + number % 2, 24])
    assert (await screen.until(lambda s: False, 30)).code == 4400
    assert "pasted" in screen.told[-1]["error"]
    await screen.socket.disconnect()


@database_sync_to_async
def look_for_lost(seconds: float) -> None:
    """The watcher's look, when the last sign of life was so long ago."""
    OpenTerminal.objects.update(seen=timezone.now() - timedelta(seconds=seconds))
    terminal_audit.close_lost()
    terminal_audit.close_lost()


@database_sync_to_async
def rows() -> int:
    return OpenTerminal.objects.count()


async def test_a_terminal_whose_process_was_killed_is_closed_once(row, endpoint, person) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    assert await rows() == 1
    await look_for_lost(30)
    assert len(await events()) == 1, "a moment of silence is no end"
    # As after a kill: nothing of this process closes it.
    await look_for_lost(90)
    opening, closing = await events()
    assert closing[0] == "pod.terminal_closed"
    assert "ended with the console's process, at or after 20" in closing[2]["why"]
    assert closing[2]["container"] == opening[2]["container"] == "main"
    assert await rows() == 0
    await screen.socket.disconnect()
    assert len(await events()) == 2, "one end, whoever writes it"


async def test_a_terminal_whose_end_was_written_is_ended(
    row, endpoint, person, monkeypatch
) -> None:
    monkeypatch.setattr(terminal_audit, "BEAT_SECONDS", 0.2)
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await asyncio.sleep(0.5)
    assert await rows() == 1
    await look_for_lost(90)
    await screen.until(lambda s: False)
    assert screen.told[-1] == {"closed": "no longer recorded"}
    await screen.socket.disconnect()
    assert len(await events()) == 2


async def test_an_open_terminal_says_that_it_is_there(row, endpoint, person, monkeypatch) -> None:
    monkeypatch.setattr(terminal_audit, "BEAT_SECONDS", 0.1)
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    old = timezone.now() - timedelta(seconds=30)
    await database_sync_to_async(OpenTerminal.objects.update)(seen=old)
    fresh = OpenTerminal.objects.filter(seen__gt=old + timedelta(seconds=20))
    async with asyncio.timeout(5):
        while not await database_sync_to_async(fresh.exists)():
            await asyncio.sleep(0.05)
    await screen.socket.disconnect()
    assert await rows() == 0


async def test_a_forgotten_cluster_and_person_leave_the_end_of_a_lost_terminal(
    row, endpoint, person
) -> None:
    screen = await opened(row, person)
    await screen.until(lambda s: s.text.endswith(b"$ "))
    await database_sync_to_async(row.cluster.delete)()
    await look_for_lost(90)
    assert [action for action, _outcome, _after in await events()][-1] == "pod.terminal_closed"
    await screen.socket.disconnect()
