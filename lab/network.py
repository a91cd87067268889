"""Addresses, the bridge, and each host's network namespace with its cable to the bridge."""

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path

from lab.command import run
from lab.errors import LabError

DEMO_NAME = "demo"
DEMO_BRIDGE = "flotilla0"
FIRST_HOST = 11
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
NETNS_FOLDER = Path("/run/netns")
MEND = "see `ip -d link` and `ip netns` for what is in the way, or run `lab down` first"


@dataclass(frozen=True)
class AddressPlan:
    """Which addresses and link names a lab uses; the same lab always gets the same ones."""

    name: str
    subnet: ipaddress.IPv4Network
    bridge: str

    @classmethod
    def of(cls, name: str, subnet: str, bridge: str | None = None) -> "AddressPlan":
        """Check a lab's name and subnet; raises LabError when they cannot be used."""
        what = f"Planning the lab {name!r}"
        if (
            not name
            or len(name) > 32
            or not name.replace("-", "").isalnum()
            or name != name.lower()
        ):
            raise LabError(
                what,
                "the name is not a short word",
                "use up to 32 lower-case letters, digits and hyphens",
            )
        try:
            network = ipaddress.IPv4Network(subnet)
        except ValueError as error:
            raise LabError(what, str(error), "give a subnet such as 10.78.0.0/24") from error
        if not network.is_private or network.prefixlen > 26:
            raise LabError(
                what, f"{network} is public or too small", "give a private subnet of /26 or larger"
            )
        default = DEMO_BRIDGE if name == DEMO_NAME else f"fl{_short(name)}"
        return cls(name, network, bridge or default)

    @property
    def prefix(self) -> str:
        """What this lab's network namespaces and cgroups are named after."""
        return f"flotilla-{self.name}"

    @property
    def gateway(self) -> str:
        """The machine's own address on the bridge."""
        return str(self.subnet[1])

    @property
    def capacity(self) -> int:
        """How many hosts fit; above them the subnet keeps a few addresses free for VIPs."""
        return int(self.subnet.num_addresses) - FIRST_HOST - 16

    def address(self, number: int) -> str:
        """The address of host `number`, which counts from 1."""
        return str(self.subnet[FIRST_HOST + number - 1])

    def link(self, number: int) -> str:
        """The bridge's end of the cable of host `number`; at most 15 characters, as Linux asks."""
        return f"fl{_short(self.name)}-{number}"

    def mac(self, number: int) -> str:
        """The hardware address of host `number`, or of the bridge for 0.

        It stays the same over power cuts, as a real card's does: the neighbours would otherwise
        go on sending to the old one for many seconds.
        """
        digest = hashlib.sha256(f"{self.name}/{number}".encode()).hexdigest()
        # 02 marks an address that was given locally and belongs to no vendor.
        return ":".join(["02", *(digest[at : at + 2] for at in range(0, 10, 2))])

    def namespace(self, host: str) -> str:
        """The network namespace of a host."""
        return f"{self.prefix}-{host}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:7]


def ip(*arguments: str, what: str) -> str:
    """Run `ip` with these arguments."""
    return run(["ip", *arguments], what=what, mend=MEND)


def links() -> set[str]:
    """The names of the machine's own network links."""
    return {entry.name for entry in Path("/sys/class/net").iterdir()}


def ensure_bridge(plan: AddressPlan) -> None:
    """Make the lab's bridge with the gateway's address, or check the one that is there.

    Raises LabError when another link of the machine already uses addresses of the subnet.
    """
    what = f"Making the bridge {plan.bridge}"
    # Links that come and go meanwhile make `ip` complain between; the answer is the one line.
    answer = ip("-json", "address", "show", what=what).splitlines()
    found = next((line for line in answer if line.startswith("[")), "[]")
    for link in json.loads(found):
        for held in link.get("addr_info", ()):
            if held.get("family") != "inet" or link["ifname"] == plan.bridge:
                continue
            network = ipaddress.IPv4Interface(f"{held['local']}/{held['prefixlen']}").network
            if network.overlaps(plan.subnet):
                raise LabError(
                    what,
                    f"{plan.subnet} overlaps {network} on {link['ifname']}",
                    "give the lab another --subnet",
                )
    if plan.bridge not in links():
        mac = ("address", plan.mac(0))
        ip("link", "add", plan.bridge, *mac, "type", "bridge", "forward_delay", "0", what=what)
    ip(
        "address",
        "replace",
        f"{plan.gateway}/{plan.subnet.prefixlen}",
        "dev",
        plan.bridge,
        what=what,
    )
    ip("link", "set", plan.bridge, "up", what=what)


def remove_bridge(plan: AddressPlan) -> None:
    """Remove the lab's bridge where it is there."""
    if plan.bridge in links():
        ip("link", "delete", plan.bridge, what=f"Removing the bridge {plan.bridge}")


def connect(plan: AddressPlan, host: str, number: int, *, up: bool) -> None:
    """Give a host a fresh network namespace, with eth0 on the bridge; `up` is its cable's state."""
    disconnect(plan, host, number)
    what = f"Connecting {host} to {plan.bridge}"
    space, link = plan.namespace(host), plan.link(number)
    ip("netns", "add", space, what=what)
    peer = ("peer", "name", "eth0", "address", plan.mac(number), "netns", space)
    ip("link", "add", link, "type", "veth", *peer, what=what)
    ip("link", "set", link, "master", plan.bridge, "up" if up else "down", what=what)
    inside = ("-netns", space)
    ip(*inside, "link", "set", "lo", "up", what=what)
    address = f"{plan.address(number)}/{plan.subnet.prefixlen}"
    ip(*inside, "address", "add", address, "dev", "eth0", what=what)
    ip(*inside, "link", "set", "eth0", "up", what=what)
    ip(*inside, "route", "add", "default", "via", plan.gateway, what=what)


def disconnect(plan: AddressPlan, host: str, number: int) -> None:
    """Remove a host's cable and network namespace, as far as they are there."""
    what = f"Disconnecting {host} from {plan.bridge}"
    if plan.link(number) in links():
        ip("link", "delete", plan.link(number), what=what)
    if (NETNS_FOLDER / plan.namespace(host)).exists():
        ip("netns", "delete", plan.namespace(host), what=what)


def set_cable(plan: AddressPlan, host: str, number: int, *, up: bool) -> None:
    """Plug a host's cable in or pull it out, at the bridge's end."""
    what = f"{'Plugging in' if up else 'Pulling out'} the cable of {host}"
    ip("link", "set", plan.link(number), "up" if up else "down", what=what)


def namespaces(plan: AddressPlan) -> list[str]:
    """The network namespaces of this lab that exist now."""
    if not NETNS_FOLDER.is_dir():
        return []
    # Host names hold no hyphen, so the lab "a" never takes the namespaces of "a-b" for its own.
    return sorted(
        entry.name
        for entry in NETNS_FOLDER.iterdir()
        if entry.name.rpartition("-")[0] == plan.prefix
    )


def lab_links(plan: AddressPlan) -> list[str]:
    """The links of this lab that exist now: its bridge and its cables."""
    cable = plan.link(0).removesuffix("0")
    return sorted(name for name in links() if name == plan.bridge or name.startswith(cable))
