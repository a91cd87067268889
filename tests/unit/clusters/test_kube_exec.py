"""A terminal's connection: bytes both ways, sizes, exit codes, limits and faults."""

from __future__ import annotations

import asyncio
import struct

import pytest
from channels.db import database_sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube import ClusterUnreachable, Forbidden, Impersonation, UnexpectedAnswer
from clusters.kube.credentials import credentials_of
from clusters.kube.exec import Command, Exit, Terminal, exit_of, open_terminal
from clusters.kube.frames import MESSAGE_LIMIT, Broken, MessageReader, masked, unmask
from clusters.kube.streams import Doer
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import ExecEndpoint, Wire
from tests.unit.clusters.rows import cluster_of

pytestmark = pytest.mark.django_db(transaction=True)
WHO = Impersonation("flotilla:user:7", ("flotilla:platform:admin",))
COMMAND = Command("default", "web", "main", ("sh", "-c", "exec a b"))


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture
def endpoint(server) -> ExecEndpoint:
    return ExecEndpoint(server)


@pytest.fixture
async def doer(server) -> Doer:
    def make() -> Doer:
        return Doer(credentials_of(cluster_of(server)), WHO)

    return await database_sync_to_async(make)()


async def until(terminal: Terminal, text: bytes) -> bytes:
    """What is printed up to a text."""
    found = b""
    async with asyncio.timeout(5):
        while text not in found:
            came = await terminal.read()
            assert not isinstance(came, Exit), came
            found += came.data
    return found


async def test_it_types_prints_resizes_and_tells_the_exit_code(doer, endpoint) -> None:
    terminal = await open_terminal(doer, COMMAND)
    await terminal.resize(132, 43)
    await until(terminal, b"$ ")
    await terminal.write(b"size\r")
    assert b"43 132" in await until(terminal, b"132\r\n$ ")
    await terminal.write(b"exit 3\r")
    assert await _last(terminal) == Exit(3)
    await terminal.close()
    assert endpoint.queries[0] == {
        "command": ["sh", "-c", "exec a b"],
        "container": ["main"],
        "stdin": ["true"],
        "stdout": ["true"],
        "stderr": ["false"],
        "tty": ["true"],
    }
    names = dict(endpoint.headers[0])
    assert names["Impersonate-User"] == "flotilla:user:7"
    assert names["Impersonate-Group"] == "flotilla:platform:admin"


async def _last(terminal: Terminal) -> Exit:
    async with asyncio.timeout(5):
        while not isinstance(came := await terminal.read(), Exit):
            pass
    return came


async def test_stdin_alone_is_closed_where_the_protocol_can(doer, endpoint) -> None:
    terminal = await open_terminal(doer, COMMAND)
    assert not await terminal.end_input()
    await terminal.close()
    endpoint.protocols = ("v5.channel.k8s.io", "v4.channel.k8s.io")
    terminal = await open_terminal(doer, COMMAND)
    assert await terminal.end_input()
    assert await _last(terminal) == Exit(0)
    assert endpoint.half_closed
    await terminal.close()


async def test_who_does_not_read_makes_the_program_wait(doer, endpoint) -> None:
    terminal = await open_terminal(doer, COMMAND)
    await terminal.write(b"yes\r")
    before = -1
    for _look in range(50):
        await asyncio.sleep(0.1)
        if endpoint.printed and endpoint.printed == before:
            break
        before = endpoint.printed
    # What the sockets of both ends hold, not what the program could print.
    assert 0 < endpoint.printed < 16 * 1024 * 1024
    endpoint.stop = True
    await terminal.close()


async def test_a_refusal_says_who_and_why(doer, endpoint) -> None:
    endpoint.refuses = (403, "pods/exec is forbidden")
    with pytest.raises(Forbidden, match="pods/exec is forbidden") as caught:
        await open_terminal(doer, COMMAND)
    assert "flotilla:user:7" in caught.value.cause


async def test_a_server_of_unknown_protocols_is_refused(doer, endpoint) -> None:
    endpoint.protocols = ()
    with pytest.raises(UnexpectedAnswer, match=r"v4\.channel"):
        await open_terminal(doer, COMMAND)


async def test_a_cluster_that_is_away_is_said(doer, server) -> None:
    server.down()
    with pytest.raises(ClusterUnreachable, match="refuses connections"):
        await open_terminal(doer, COMMAND)
    server.up()


async def test_a_strangers_certificate_is_refused(doer, server) -> None:
    other = Doer(doer.credentials.__class__(
        doer.credentials.endpoint, ca=ApiServer().authority.crt,
        certificate=doer.credentials.certificate, key=doer.credentials.key,
    ), WHO)  # fmt: skip
    with pytest.raises(ClusterUnreachable, match="not trusted"):
        await open_terminal(other, COMMAND)


async def test_a_cut_connection_is_an_error(doer, server, endpoint) -> None:
    terminal = await open_terminal(doer, COMMAND)
    await until(terminal, b"$ ")
    server.cut()
    with pytest.raises(ClusterUnreachable):
        await terminal.read()
    await terminal.close()


def huge(wire: Wire, _endpoint: ExecEndpoint) -> None:
    wire._out.write(struct.pack("!BBQ", 0x82, 127, 1 << 40))
    wire._out.flush()
    wire.read()


def parts(wire: Wire, _endpoint: ExecEndpoint) -> None:
    wire.frame(0x2, b"\x01one ", final=False)
    wire.frame(0x9, b"ping")
    wire.frame(0x0, b"two")
    wire.exit(0)
    wire.read()


async def test_a_message_without_bounds_is_refused_before_it_is_read(doer, endpoint) -> None:
    endpoint.program = huge
    terminal = await open_terminal(doer, COMMAND)
    with pytest.raises(UnexpectedAnswer, match=str(MESSAGE_LIMIT)):
        await terminal.read()
    await terminal.close()


async def test_messages_in_parts_with_a_ping_between_are_put_together(doer, endpoint) -> None:
    endpoint.program = parts
    terminal = await open_terminal(doer, COMMAND)
    came = await terminal.read()
    assert not isinstance(came, Exit) and came.data == b"one two"
    assert await _last(terminal) == Exit(0)
    await terminal.close()


@given(st.binary(max_size=70_000), st.binary(min_size=4, max_size=4))
def test_masking_twice_changes_nothing(payload: bytes, mask: bytes) -> None:
    assert unmask(unmask(payload, mask), mask) == payload
    assert masked(2, payload, mask).endswith(unmask(payload, mask))


@given(st.binary(max_size=200))
def test_no_bytes_of_a_server_break_the_reader(raw: bytes) -> None:
    async def run() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        messages = MessageReader(reader, 1000)
        while True:
            try:
                await messages.next()
            except (asyncio.IncompleteReadError, Broken):
                return

    asyncio.run(run())


@given(st.binary(max_size=100) | st.text().map(str.encode))
def test_no_status_breaks_the_exit(data: bytes) -> None:
    assert exit_of(data).code in (None, 0) or isinstance(exit_of(data).code, int)


def test_exits() -> None:
    failure = b'{"status":"Failure","message":"no such container","details":{}}'
    assert exit_of(b'{"status":"Success"}') == Exit(0)
    assert exit_of(failure) == Exit(None, "no such container")
    assert exit_of(b"plain words") == Exit(None, "plain words")
