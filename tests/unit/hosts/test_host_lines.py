"""Pasting many hosts: what is understood, and what each bad line is told."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.hosts import MAX_LINES, HostEntry, name_from, parse_host_lines


def only(text: str) -> HostEntry:
    """The one host of a text without errors."""
    entries, errors = parse_host_lines(text)
    assert errors == []
    assert len(entries) == 1
    return entries[0]


def cause(text: str) -> str:
    """The one error of a text."""
    _entries, errors = parse_host_lines(text)
    assert len(errors) == 1
    return errors[0].cause


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("root@10.0.0.7:2222 node-a", ("node-a", "10.0.0.7", 2222, "root")),
        ("10.0.0.7", ("host-10-0-0-7", "10.0.0.7", 22, "")),
        ("10.0.0.7 node-a", ("node-a", "10.0.0.7", 22, "")),
        ("ops@10.0.0.7", ("host-10-0-0-7", "10.0.0.7", 22, "ops")),
        ("DB1.Example.ORG.", ("db1", "db1.example.org", 22, "")),
        ("db_1.example.org", ("db-1", "db_1.example.org", 22, "")),
        ("[fd00::7]:2222 six", ("six", "fd00::7", 2222, "")),
        ("root@[FD00:0::7]", ("host-fd00-0-7", "fd00::7", 22, "root")),
        ("DOMAIN\\ops@10.0.0.7 a", None),
        ("ops@corp.example@10.0.0.7 a", ("a", "10.0.0.7", 22, "ops@corp.example")),
        ("\t10.0.0.7   a  # the rack's first", ("a", "10.0.0.7", 22, "")),
    ],
)
def test_a_line_is_understood(line, expected):
    entry = only(line)
    if expected:
        assert (entry.name, entry.address, entry.port, entry.username) == expected


def test_comments_and_blank_lines_are_passed_over_and_numbers_stay_those_of_the_text():
    entries, errors = parse_host_lines("# rack 1\n\n10.0.0.1 a\r\n   # spare\n10.0.0.2 b\n")
    assert [(entry.line, entry.name) for entry in entries] == [(3, "a"), (5, "b")]
    assert errors == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("10.0.0.256", "four numbers"),
        ("10.0.0", "four numbers"),
        ("010.0.0.1", "four numbers"),
        ("10.0.0.7:0", "no port"),
        ("10.0.0.7:65536", "no port"),
        ("10.0.0.7:ssh", "no port"),
        ("10.0.0.7:", "no port"),
        ("@10.0.0.7", "no user before"),
        ("root@", "no address"),
        ("root@:22", "no address"),
        ("fd00::7", "in brackets"),
        ("[fd00::7", "not closed"),
        ("[fd00::7]22", "after the bracket"),
        ("[10.0.0.7]:22", "no IPv6 address"),
        ("a:b:c", "no address"),
        ("10.0.0.7 Node_A", "no name for a host"),
        ("10.0.0.7 -a", "no name for a host"),
        ("10.0.0.7 a-", "no name for a host"),
        ("10.0.0.7 " + "a" * 64, "no name for a host"),
        ("10.0.0.7 a b c", "4 words"),
        ("-oProxyCommand=x@10.0.0.7 a", "no user name"),
        ("-oProxyCommand=sh a", "neither an IP address"),
        ("$(reboot)@10.0.0.7 a", "no user name"),
        ("exa mple;id", "neither an IP address|no name"),
        ("0.0.0.0", "not the address of one host"),
        ("224.0.0.1", "not the address of one host"),
        ("[ff02::1]", "not the address of one host"),
        ("[fe80::1%eth0;reboot]", "names an interface"),
        ("节点.example", "neither an IP address"),
        ("a..b", "neither an IP address"),
    ],
)
def test_a_bad_line_is_told_its_cause(line, part):
    assert any(word in cause(line) for word in part.split("|"))


def test_every_bad_line_is_named_and_the_good_ones_are_still_read():
    entries, errors = parse_host_lines("10.0.0.1 a\n10.0.0.999 b\n10.0.0.3 c\n10.0.0.4 D\n")
    assert [entry.name for entry in entries] == ["a", "c"]
    assert [error.line for error in errors] == [2, 4]
    assert str(errors[0]).startswith("Line 2, “10.0.0.999 b”")


def test_the_same_name_or_address_twice_is_an_error_of_the_later_line():
    assert "line 1" in cause("10.0.0.1 a\n10.0.0.2 a")
    assert "line 1" in cause("10.0.0.1 a\n10.0.0.1 b")
    assert "line 1" in cause("[fd00::1] a\n[FD00:0:0::1] b")


def test_the_same_address_with_another_port_is_another_host():
    entries, errors = parse_host_lines("10.0.0.1:22 a\n10.0.0.1:2222 b")
    assert len(entries) == 2
    assert errors == []


def test_too_many_lines_and_too_long_a_text_are_refused():
    lines = "\n".join(f"10.{n // 250}.0.{n % 250 + 1} h{n}" for n in range(MAX_LINES + 3))
    entries, errors = parse_host_lines(lines)
    assert len(entries) == MAX_LINES
    assert "at most" in errors[0].cause
    assert "64 KiB" in cause("#" * 70_000)


def test_control_characters_do_not_reach_the_message():
    _entries, errors = parse_host_lines("10.0.0.7 a\x1b[31mred\x00")
    assert "\x1b" not in str(errors[0])
    assert "\x00" not in str(errors[0])


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_exception_and_nothing_is_lost(text):
    entries, errors = parse_host_lines(text)
    numbers = [entry.line for entry in entries] + [error.line for error in errors]
    assert len(numbers) == len(set(numbers))
    for entry in entries:
        assert 1 <= entry.port <= 65535
        assert 1 <= len(entry.name) <= 63
        assert not entry.username.startswith("-")
        assert not entry.address.startswith("-")
        assert all(char not in entry.address + entry.name for char in " ;$`'\"|&<>\n\0")


names = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z")
ports = st.integers(1, 65535)


@given(
    st.lists(
        st.tuples(st.ip_addresses(), ports, names),
        max_size=20,
        unique_by=(lambda row: (row[0], row[1]), lambda row: row[2]),
    )
)
def test_what_was_written_well_is_read_back(rows):
    rows = [
        row
        for row in rows
        if not (row[0].is_multicast or row[0].is_unspecified or str(row[0]) == "255.255.255.255")
    ]
    text = "\n".join(
        f"root@{f'[{address}]' if address.version == 6 else address}:{port} {name}"
        for address, port, name in rows
    )
    entries, errors = parse_host_lines(text)
    assert errors == []
    assert [
        (ipaddress.ip_address(entry.address), entry.port, entry.name) for entry in entries
    ] == rows


@given(st.ip_addresses())
def test_a_name_can_be_made_of_every_address(address):
    name = name_from(str(address))
    assert len(name) <= 63
    assert not name.endswith("-")
