"""Where the console may connect to when the address comes from a person.

API servers of imported clusters and webhooks go through check_host, so that nobody makes
the console talk to itself, to its neighbours on the link or to a cloud's metadata service
(server-side request forgery, OWASP). The caller connects to one of the addresses that were
checked and never asks DNS a second time: an answer that changes in between gains nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from console.resolving import resolver

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# What socket.getaddrinfo does with these arguments: (host, port) -> addresses as texts.
Resolve = Callable[[str, int], Sequence[str]]

SETTING = "FLOTILLA_OUTBOUND_ALLOWED"
DNS_SECONDS = 5.0


class OutboundRefused(Exception):
    """The console does not connect there.

    cause: one sentence that names host and address and says why; mend: what to do.
    """

    def __init__(self, cause: str, mend: str = "") -> None:
        super().__init__(f"{cause} {mend}".strip())
        self.cause = cause
        self.mend = mend


class HostUnknown(OutboundRefused):
    """The name has no address in DNS, now."""


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


# Metadata services of clouds that lie outside of the link-local networks.
METADATA = _networks(
    "100.100.100.200/32",  # Alibaba Cloud
    "168.63.129.16/32",  # Azure's wire server
    "192.0.0.192/32",  # Oracle Cloud
    "fd00:ec2::254/128",  # AWS: instance metadata
    "fd00:ec2::23/128",  # AWS: credentials of EKS pods
    "fd00:ec2::253/128",  # AWS: resolver
    "fd20:ce::254/128",  # Google Cloud
    "fd00:42::42/128",  # Scaleway
)
# The registries of special-purpose addresses (RFC 6890) in words that a person understands.
REFUSED: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("this machine itself (loopback)", _networks("127.0.0.0/8", "::1/128")),
    ("no address (unspecified)", _networks("0.0.0.0/8", "::/128")),
    ("link-local, where clouds keep their metadata", _networks("169.254.0.0/16", "fe80::/10")),
    ("a cloud's metadata service", METADATA),
    ("multicast", _networks("224.0.0.0/4", "ff00::/8")),
    ("broadcast", _networks("255.255.255.255/32")),
    ("reserved", _networks("192.0.0.0/24", "240.0.0.0/4", "fec0::/10", "5f00::/16", "100::/64")),
)
PRIVATE = _networks(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
    "100.64.0.0/10",  # RFC 6598, carriers
    "198.18.0.0/15",  # RFC 2544, benchmarks
    "fc00::/7",  # RFC 4193
)  # fmt: skip
# IPv6 addresses that end in an IPv4 address to which something on the way may translate.
_ENDS_IN_IPV4 = _networks(
    "::/96",  # RFC 4291, compatible
    "::ffff:0:0/96",  # RFC 4291, mapped
    "::ffff:0:0:0/96",  # RFC 2765, translated
    "64:ff9b::/96",  # RFC 6052, NAT64
    "64:ff9b:1::/48",  # RFC 8215, local NAT64
)
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def check_host(
    host: str,
    port: int,
    *,
    private: bool,
    allowed: Sequence[Network] = (),
    resolve: Resolve | None = None,
    seconds: float = DNS_SECONDS,
) -> list[str]:
    """The addresses of a host that the console may connect to; connect to one of exactly these.

    host: a name or an address in any spelling, IPv6 with or without brackets.
    private: whether private networks are fine. allowed: networks that are fine in
    any case. resolve: asks DNS instead of the system's resolver, which is given so many
    seconds. Raises
    OutboundRefused when one of the addresses is refused (one good answer of a
    name does not excuse a bad one), HostUnknown when DNS has none.
    """
    if not 0 < port < 65536:
        raise OutboundRefused(f"{port} is no port.", "Ports go from 1 to 65535.")
    name = plain_host(host)
    try:
        texts: Sequence[str] = [str(ip_address(name))]
    except ValueError:
        try:
            texts = resolve(name, port) if resolve else resolver(name, port, seconds)
        except TimeoutError:
            raise HostUnknown(
                f"The console's DNS did not answer for {name} within {seconds:.3g} s.",
                "Check the console's DNS server, and the name.",
            ) from None
        except OSError:
            texts = []
    if not texts:
        raise HostUnknown(f"The name {name} is not known to the console's DNS.", "Check the name.")
    found = list(dict.fromkeys(texts))
    for text in found:
        check_address(text, name, private=private, allowed=allowed)
    return found


def check_address(
    text: str, host: str = "", *, private: bool, allowed: Sequence[Network] = ()
) -> None:
    """Return when the console may connect to this address of `host`. Raises OutboundRefused."""
    shown = f"{host} ({text})" if host and host != text else text
    try:
        address = ip_address(text)
    except ValueError:
        raise OutboundRefused(f"{shown} is no address.") from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise OutboundRefused(f"{shown} names a network interface (zone).", "Leave the zone out.")
    for one in _embedded(address):
        if any(one in network for network in allowed):
            continue
        inner = f" through {one}" if one != address else ""
        for meaning, networks in REFUSED:
            if any(one in network for network in networks):
                raise OutboundRefused(
                    f"The console does not connect to {shown}{inner}: that is {meaning}.",
                    "Use the address that other machines use. The console's administrator can "
                    f"allow a network with {SETTING}.",
                )
        if not private and any(one in network for network in PRIVATE):
            raise OutboundRefused(
                f"The console does not connect to {shown}{inner}: that is a private network.",
                "The console's administrator can allow all of them with "
                f"FLOTILLA_PRIVATE_CLUSTERS=1, or one with {SETTING}.",
            )


def plain_host(text: str) -> str:
    """A host as DNS and sockets take it: ASCII, lower case, no brackets, no dot at its end.

    Raises OutboundRefused for what is no host, and for addresses in spellings
    that programs read differently (decimal, octal, hexadecimal, short).
    """
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise OutboundRefused(f"{text[:80]!r} is no host name.", "Brackets are for IPv6.")
    if "%" in host:
        raise OutboundRefused(
            f"{text[:80]!r} names a network interface (zone) or has escapes.",
            "Write the plain address.",
        )
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise OutboundRefused(f"{text[:80]!r} is no IPv6 address.") from None
    try:
        # Also what looks like digits and dots and is not: nameprep (RFC 3491) makes it plain.
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused(f"{text[:80]!r} is no host name.", "Check the name.")
    if _NUMBER.fullmatch(labels[-1]):
        return _plain_ipv4(name, text)
    return name


def _plain_ipv4(name: str, given: str) -> str:
    """The address when it is written as four decimal numbers. Raises OutboundRefused otherwise.

    A last label that is a number makes the whole an IPv4 address (WHATWG URL, 3.5).
    """
    try:
        return str(IPv4Address(name))
    except ValueError:
        try:
            meant = f" That may mean {socket.inet_ntoa(socket.inet_aton(name))}."
        except OSError:
            meant = ""
        raise OutboundRefused(
            f"{given[:80]!r} is not written as an address usually is.{meant}",
            "Write four decimal numbers, such as 192.0.2.10.",
        ) from None


def _embedded(address: Address) -> Iterator[Address]:
    """The address, and every IPv4 address that an IPv6 one carries."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is None:
        # A mapped address is its IPv4 address and nothing of its own.
        yield address
    plain = int(address) > 0xFFFF  # :: and ::1 carry none
    if plain and any(address in network for network in _ENDS_IN_IPV4):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:  # RFC 3056
        yield address.sixtofour
    if address.teredo is not None:  # RFC 4380: server and client
        yield from address.teredo
    if (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE:  # ISATAP, RFC 5214
        yield IPv4Address(int(address) & 0xFFFFFFFF)
