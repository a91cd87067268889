"""Faults of a lab's network: somebody else's router, hosts that do not hear one another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab import Host
from tests.e2e.console import wait_for

FOREIGN = """\
vrrp_instance foreign {{
    state MASTER
    interface eth0
    virtual_router_id {id}
    priority 100
    advert_int 1
    virtual_ipaddress {{
        {address}/24 dev eth0
    }}
}}
"""


@contextmanager
def foreign_router(host: Host, number: int, address: str) -> Iterator[None]:
    """Somebody else's keepalived with this virtual router id, told to the whole network."""
    conf = host.root / "root/foreign.conf"
    conf.write_text(FOREIGN.format(id=number, address=address))
    host.run(
        "systemd-run -q --unit=foreign keepalived --dont-fork --log-console "
        "-f /root/foreign.conf -p /run/foreign.pid -r /run/foreign-vrrp.pid"
    )
    try:
        wait_for(lambda: f" {address}/" in host.run("ip -o -4 addr"), 20, "the other router is up")
        yield
    finally:
        host.run("systemctl stop foreign; systemctl reset-failed foreign 2>/dev/null; true")
        conf.unlink()


@contextmanager
def unheard(host: Host, others: list[Host]) -> Iterator[None]:
    """A host and the others do not hear each other; clients and the console reach all of them."""
    rules = [
        f"iptables -w -{{}} {chain} {side} {other.address} -j DROP"
        for other in others
        for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d"))
    ]
    host.run("\n".join(rule.format("I") for rule in rules))
    try:
        yield
    finally:
        host.run("\n".join(rule.format("D") for rule in rules))
