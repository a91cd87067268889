"""How the failover measurement reads what it saw: outages, and two holders of one address."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.vip_probe import Probe, outage
from bench.vip_watch import Move, Watch, addresses


def probes(*good: int) -> list[Probe]:
    """One for each number, 10 ms apart: 1 answered, 0 not."""
    return [Probe(i / 100, 0.003, "" if g else "refused") for i, g in enumerate(good)]


def test_an_outage_is_the_time_in_which_no_connection_came_to_an_answer() -> None:
    gap, span, failed = outage(probes(1, 1, 0, 0, 0, 1, 1), 0.0, 0.06)
    assert gap == pytest.approx(0.03)
    assert span == pytest.approx(0.03)
    assert failed == 3


def test_connections_that_fail_now_and_then_are_no_gap_but_a_span() -> None:
    gap, span, failed = outage(probes(1, 0, 1, 1, 0, 1, 0, 1), 0.0, 0.07)
    assert gap == pytest.approx(0.01)
    assert span == pytest.approx(0.06)
    assert failed == 3


def test_a_pause_of_the_prober_itself_is_no_outage() -> None:
    seen = [Probe(0.0, 0.003, ""), Probe(2.0, 0.003, ""), Probe(2.01, 0.003, "")]
    assert outage(seen, 0.0, 2.01) == (0.0, 0.0, 0)


def watch(*moves: tuple[float, str, bool]) -> Watch:
    found = Watch("10.91.0.250", ())
    found.moves = [Move(*move) for move in moves]
    return found


def test_two_holders_at_once_are_seen_with_their_time() -> None:
    seen = watch((0.0, "a", True), (5.0, "b", True), (5.15, "a", False), (9.0, "c", True),
                 (9.0, "b", False))  # fmt: skip
    assert seen.shared(0.0, 10.0) == pytest.approx(0.15)
    assert seen.shared(5.1, 10.0) == pytest.approx(0.05), "what was before does not count"
    assert seen.holders() == ["c"]
    assert [m.host for m in seen.takeovers(4.0, 10.0)] == ["b", "c"]


def test_two_holders_that_never_end_are_seen_too() -> None:
    assert watch((0.0, "a", True), (2.0, "b", True)).shared(0.0, 60.0) == pytest.approx(58.0)


def message(kind: int, address: str) -> bytes:
    body = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 2)
    body += struct.pack("=HH", 8, 2) + socket.inet_aton(address)
    body += struct.pack("=HH", 9, 3) + b"eth0\0\0\0\0"
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def test_addresses_come_and_go_in_one_read() -> None:
    data = message(20, "10.91.0.250") + message(3, "10.0.0.1") + message(21, "10.91.0.11")
    assert list(addresses(data)) == [("10.91.0.250", True), ("10.91.0.11", False)]


@given(st.binary(max_size=200))
def test_no_bytes_of_a_kernel_end_the_watch(data: bytes) -> None:
    assert all(isinstance(there, bool) for _address, there in addresses(data))


@given(st.integers(0, 80), st.binary(max_size=20))
def test_nor_does_a_message_that_is_cut(length: int, end: bytes) -> None:
    list(addresses((message(20, "10.91.0.250") * 2)[:length] + end))


@pytest.mark.skipif(os.getuid() != 0, reason="entering a network namespace needs root")
def test_what_a_host_has_already_is_heard_at_the_start() -> None:
    here = SimpleNamespace(name="here", netns=Path("/proc/self/ns/net"))
    with Watch("127.0.0.1", [here]) as seen:  # type: ignore[list-item]
        for _attempt in range(100):
            if seen.holders():
                break
            seen._over.wait(0.05)
        assert seen.holders() == ["here"]
        seen.drop("here")
        assert seen.holders() == []
