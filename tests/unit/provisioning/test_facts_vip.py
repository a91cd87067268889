"""Facts about a VIP: what hosts and networks may answer, and what no honest one would."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.facts import FACTS_SCRIPT, Facts, facts_script, parse_facts
from provisioning.facts_vip import Vip, router_ids

V3 = bytes([0x31, 77, 254, 1, 0, 20, 0, 0, 10, 80, 0, 100])
V2 = bytes([0x21, 51, 100, 2, 0, 1, 0, 0]) + bytes(8) + bytes(8)


def hex_lines(data: bytes) -> list[str]:
    """As `od -An -v -tx1` prints it, with our word before each line."""
    rows = [data[i : i + 16] for i in range(0, len(data), 16)]
    return ["vrrp  " + " ".join(f"{b:02x}" for b in row) for row in rows]


def test_every_router_on_the_network_is_heard_once() -> None:
    found = Vip().parse(["listened", *hex_lines(V3 + V2 + V3 + V3 + V2)])
    assert found["vrrp_heard"] == (51, 77)
    assert found["vrrp_listened"] is True


@pytest.mark.parametrize(
    "line",
    [
        "arp Unicast reply from 10.0.0.9 [02:42:AC:11:00:02]  0.654ms",  # iputils, busybox
        "arp 60 bytes from 02:42:ac:11:00:02 (10.0.0.9): index=0 time=3.1 usec",  # Habets
        "arp 10.0.0.9 dev eth0 lladdr 02:42:ac:11:00:02 REACHABLE",  # ip neigh
    ],
)
def test_whoever_answers_is_named(line: str) -> None:
    found = Vip().parse(["arp ARPING 10.0.0.9 from 10.0.0.1 eth0", line])
    assert found["vip_answers"] == "02:42:ac:11:00:02"
    assert found["vip_here"] is False


def test_silence_is_an_answer_too() -> None:
    lines = [
        "arp ARPING 10.0.0.9 from 10.0.0.1 eth0",
        "arp Sent 2 probes (2 broadcast(s))",
        "listened",
    ]
    assert Vip().parse(lines) == {
        "vip_here": False, "vip_answers": "", "vrrp_listened": True, "vrrp_heard": ()
    }  # fmt: skip


def test_who_could_not_listen_says_so() -> None:
    assert Vip().parse(["arp Timeout"])["vrrp_listened"] is False


@given(st.lists(st.tuples(st.sampled_from([2, 3]), st.integers(1, 255), st.integers(0, 20))))
def test_packets_of_any_kind_and_length_are_told_apart(
    packets: list[tuple[int, int, int]],
) -> None:
    stream = b"".join(
        bytes([version << 4 | 1, router, 100, count, 0, 100, 0, 0])
        + b"\x31" * 4 * count
        + (b"\x21" * 8 if version == 2 else b"")
        for version, router, count in packets
    )
    assert router_ids(stream) == tuple(sorted({router for _v, router, _n in packets}))


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fall(stream: bytes) -> None:
    assert all(1 <= router <= 255 for router in router_ids(stream))


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.tuples(
                st.sampled_from(["arp", "vrrp", "here", "listened"]), st.text(max_size=60)
            ).map(" ".join),
            st.binary(max_size=30).map(lambda b: f"vrrp {b.hex(' ')}"),
        ),
        max_size=20,
    )
)
def test_no_answer_makes_the_parser_fall_or_lets_anything_but_a_mac_through(
    lines: list[str],
) -> None:
    found = Vip().parse(lines)
    if lines:
        assert all(c in "0123456789abcdef:" for c in str(found["vip_answers"]))
    else:
        assert found == {}


def test_without_a_vip_the_network_is_not_asked() -> None:
    assert facts_script() == FACTS_SCRIPT
    assert "arping" not in FACTS_SCRIPT
    with pytest.raises(ValueError, match="does not appear to be"):
        facts_script("10.0.0.1; reboot")


def test_an_old_answer_without_the_section_can_be_read() -> None:
    assert Facts.from_json("{}").vip_answers == ""


def test_asked_about_an_address_of_its_own_this_machine_says_that_it_is_here() -> None:
    done = subprocess.run(
        ["sh", "-c", facts_script("127.0.0.1")],
        capture_output=True, text=True, errors="replace", check=True, stdin=subprocess.DEVNULL,
        timeout=30,
    )  # fmt: skip
    facts = parse_facts(done.stdout)
    assert facts.cpus == len(os.sched_getaffinity(0))
    assert facts.vip_here
    assert facts.epoch > 1_700_000_000
    assert Facts.from_json(facts.to_json()) == facts
