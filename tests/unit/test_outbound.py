"""Where the console connects to: addresses in every spelling, and names that resolve to them."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.outbound import HostUnknown, OutboundRefused, check_host

PUBLIC = "192.0.2.7"  # TEST-NET-1 stands for any public address


def nobody_asks(host: str, port: int) -> list[str]:
    raise AssertionError(f"DNS was asked for {host}")


def answers(*addresses: str):
    return lambda _host, _port: list(addresses)


# Spelling, and a word of the reason.
REFUSED = [
    # Loopback, as people and attackers write it.
    ("127.0.0.1", "loopback"),
    ("127.0.0.1.", "loopback"),
    ("127.255.255.254", "loopback"),
    ("127.1", "127.0.0.1"),
    ("127.0.1", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("0x7f000001", "127.0.0.1"),
    ("0X7F000001", "127.0.0.1"),
    ("0x7f.0.0.1", "127.0.0.1"),
    ("0x7f.1", "127.0.0.1"),
    ("017700000001", "127.0.0.1"),
    ("0177.0.0.1", "127.0.0.1"),
    ("0177.1", "127.0.0.1"),
    ("127.0.0.01", "127.0.0.1"),
    ("127.0.0.0x1", "127.0.0.1"),
    ("127.0.0.1:80", "IPv6"),
    ("１２７.0.0.1", "loopback"),
    ("①②⑦.0.0.1", "loopback"),
    ("127。0。0。1", "loopback"),
    ("127．0．0．1", "loopback"),
    ("::1", "loopback"),
    ("[::1]", "loopback"),
    ("0:0:0:0:0:0:0:1", "loopback"),
    ("0000::0001", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:7f00:1", "loopback"),
    ("[::ffff:7f00:1]", "loopback"),
    ("::127.0.0.1", "loopback"),
    ("::ffff:0:127.0.0.1", "loopback"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b:1::127.0.0.1", "loopback"),
    ("2002:7f00:1::", "loopback"),
    ("2002:7f00:0001:1::1", "loopback"),
    ("2001:db8::5efe:127.0.0.1", "loopback"),
    ("2001:db8::200:5efe:127.0.0.1", "loopback"),
    ("2001:0:7f00:1::80ff:fffe", "loopback"),  # Teredo's server
    # No address at all.
    ("0", "0.0.0.0"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("[::]", "unspecified"),
    ("::ffff:0.0.0.0", "unspecified"),
    # Link-local and metadata.
    ("169.254.169.254", "link-local"),
    ("169.254.170.2", "link-local"),
    ("2852039166", "169.254.169.254"),
    ("0xa9fea9fe", "169.254.169.254"),
    ("0251.0376.0251.0376", "169.254.169.254"),
    ("169.254.43518", "169.254.169.254"),
    ("::ffff:169.254.169.254", "link-local"),
    ("::ffff:a9fe:a9fe", "link-local"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("2002:a9fe:a9fe::1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "zone"),
    ("[fe80::1%25eth0]", "zone"),
    ("febf::1", "link-local"),
    ("fd00:ec2::254", "metadata"),
    ("FD00:0EC2:0:0:0:0:0:254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("64:ff9b::168.63.129.16", "metadata"),
    # Multicast, broadcast, reserved.
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("4294967295", "255.255.255.255"),
    ("240.0.0.1", "reserved"),
    ("fec0::1", "reserved"),
    # No host names.
    ("", "host name"),
    (".", "host name"),
    ("a..b", "host name"),
    ("[127.0.0.1]", "host name"),
    ("a b", "host name"),
    ("evil.example/path", "host name"),
    ("user@evil.example", "host name"),
    ("evil.example#", "host name"),
    ("evil.example\\", "host name"),
    ("127.0.0.1\r\nHost: x", "IPv6"),
    ("127.0.0.1\r\nHost", "host name"),
    ("127.0.0.1%00.example", "zone"),
    ("a" * 64, "host name"),
    ("1.2.3.4.5", "four decimal numbers"),
    ("foo.0x7f", "four decimal numbers"),
    ("::ffff:127.0.0.1.example", "IPv6"),
]


@pytest.mark.parametrize(("host", "word"), REFUSED)
def test_it_refuses_every_spelling_and_says_why(host, word):
    with pytest.raises(OutboundRefused) as caught:
        check_host(host, 443, private=True, resolve=nobody_asks)
    assert word in str(caught.value)


def test_the_table_is_as_long_as_the_issue_wants():
    assert len(REFUSED) >= 60


@pytest.mark.parametrize("host", [spelling for spelling, _word in REFUSED])
def test_a_name_that_resolves_to_a_refused_address_is_refused(host):
    """Whatever a resolver passes on: the answer is checked, not the name."""
    with pytest.raises(OutboundRefused):
        check_host("api.example", 443, private=True, resolve=answers(host))


def test_one_good_answer_does_not_excuse_a_bad_one():
    with pytest.raises(OutboundRefused, match=r"api\.example \(127\.0\.0\.1\)"):
        check_host("api.example", 443, private=True, resolve=answers(PUBLIC, "127.0.0.1"))


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        (PUBLIC, [PUBLIC]),
        ("[2001:db8::7]", ["2001:db8::7"]),
        ("API.Example.", [PUBLIC]),
        ("bücher.example", [PUBLIC]),
        ("api-1.example", [PUBLIC]),
    ],
)
def test_what_is_fine_is_answered_with_its_addresses(host, addresses):
    found = check_host(host, 6443, private=False, resolve=answers(PUBLIC, PUBLIC))
    assert found == addresses


def test_dns_is_asked_for_the_plain_name():
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return [PUBLIC]

    check_host("BÜCHER.example.", 6443, private=False, resolve=resolve)
    assert asked == [("xn--bcher-kva.example", 6443)]


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_private_networks_follow_the_setting(host):
    assert check_host(host, 443, private=True)
    with pytest.raises(OutboundRefused, match="FLOTILLA_PRIVATE_CLUSTERS"):
        check_host(host, 443, private=False)
    assert check_host(
        host, 443, private=False, allowed=[ip_network("0.0.0.0/0"), ip_network("::/0")]
    )


def test_an_allowed_network_lets_in_its_own_addresses_alone():
    allowed = [ip_network("127.0.5.0/24")]
    assert check_host("127.0.5.9", 443, private=False, allowed=allowed) == ["127.0.5.9"]
    with pytest.raises(OutboundRefused):
        check_host("127.0.6.9", 443, private=True, allowed=allowed)
    with pytest.raises(OutboundRefused):
        # What carries another address is not let in by the outer one.
        check_host("2002:7f00:1::", 443, private=True, allowed=[ip_network("2002::/16")])


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_a_port(port):
    with pytest.raises(OutboundRefused, match="port"):
        check_host(PUBLIC, port, private=True)


def test_a_name_without_an_address_is_told_apart():
    def fails(_host, _port):
        raise OSError("no such name")

    for resolve in (fails, answers()):
        with pytest.raises(HostUnknown, match=r"api\.example"):
            check_host("api.example", 443, private=True, resolve=resolve)


@given(st.integers(min_value=0x7F000000, max_value=0x7FFFFFFF), st.integers(0, 6))
def test_no_loopback_address_gets_through_in_any_form(number, form):
    quad = IPv4Address(number)
    parts = str(quad).split(".")
    spelled = [
        str(quad),
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(f"0{int(part):o}" for part in parts),
        f"::ffff:{quad}",
        f"64:ff9b::{quad}",
    ][form]
    with pytest.raises(OutboundRefused):
        check_host(spelled, 443, private=True, resolve=nobody_asks)


@given(st.text(max_size=40))
def test_any_text_is_answered_or_refused(text):
    try:
        found = check_host(text, 443, private=True, resolve=answers(PUBLIC))
    except OutboundRefused:
        return
    assert found
