"""Facts about a host's network: addresses, the default route, what listens and for whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.facts_system import FactClass, Fields, clean, number

_PROCESS = re.compile(r'\(\("([^"]*)"')


@dataclass(frozen=True)
class Address:
    """An address of an interface; prefix: the length of its network's prefix in bits."""

    interface: str
    address: str
    prefix: int


@dataclass(frozen=True)
class Listener:
    """A listening port: protocol "tcp" or "udp"; process: its holder's name, "" when not known."""

    protocol: str
    address: str
    port: int
    process: str


class Network(FactClass):
    """Addresses, links and the default route."""

    name = "network"
    snippet = """ip -o addr show 2>/dev/null | awk '{print "address", $2, $4}'
ip -o route show default 2>/dev/null | sed 's/^/route /'
ip -o link show 2>/dev/null | awk -F': ' '{print "link", $2}'"""

    def parse(self, lines: Sequence[str]) -> Fields:
        """addresses, default_interface, links."""
        addresses: list[Address] = []
        links: list[str] = []
        default = ""
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == "address":
                try:
                    found = ipaddress.ip_interface(words[2])
                except ValueError:
                    continue
                addresses.append(Address(clean(words[1]), str(found.ip), found.network.prefixlen))
            elif words[:1] == ["link"] and len(words) == 2:
                links.append(clean(words[1].partition("@")[0]))
            elif words[:1] == ["route"] and "dev" in words[:-1] and not default:
                default = clean(words[words.index("dev") + 1])
        return {"addresses": tuple(addresses), "default_interface": default, "links": tuple(links)}


class Listeners(FactClass):
    """`ss` where it is, else /proc/net, which knows no process names."""

    name = "listeners"
    snippet = """if command -v ss >/dev/null; then ss -Htulnp 2>/dev/null
else for p in tcp tcp6 udp udp6; do sed "s/^/proc $p /" /proc/net/$p 2>/dev/null; done; fi"""

    def parse(self, lines: Sequence[str]) -> Fields:
        """listeners, sorted, each once."""
        found: set[Listener] = set()
        for line in lines:
            words = line.split()
            listener = self._proc(words) if words[:1] == ["proc"] else self._ss(words, line)
            if listener is not None:
                found.add(listener)
        ordered = sorted(found, key=lambda x: (x.protocol, x.port, x.address, x.process))
        return {"listeners": tuple(ordered)}

    @staticmethod
    def _ss(words: list[str], line: str) -> Listener | None:
        if len(words) < 5 or words[0] not in ("tcp", "udp"):
            return None
        address, sep, port_text = words[4].rpartition(":")
        port = number(port_text)
        if not sep or port is None or port > 65535:
            return None
        process = _PROCESS.search(line)
        address = address.partition("%")[0].strip("[]")
        return Listener(words[0], clean(address), port, clean(process[1]) if process else "")

    @staticmethod
    def _proc(words: list[str]) -> Listener | None:
        # "proc tcp 0: 0100007F:1F90 00000000:0000 0A ..."; state 0A listens, 07 is a UDP socket
        # without a peer.
        if len(words) < 6 or words[1] not in ("tcp", "tcp6", "udp", "udp6"):
            return None
        if words[5] != ("0A" if words[1].startswith("tcp") else "07"):
            return None
        raw, _, port = words[3].partition(":")
        if not re.fullmatch(r"(?:[0-9A-F]{8}){1}|[0-9A-F]{32}", raw) or not re.fullmatch(
            r"[0-9A-F]{4}", port
        ):
            return None
        # Each 32-bit group is in the machine's own byte order, little-endian on all that we serve.
        packed = b"".join(bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8))
        return Listener(words[1][:3], str(ipaddress.ip_address(packed)), int(port, 16), "")
