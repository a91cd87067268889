"""The part of the preflight that is about the VIP of a standard cluster. Pure, like the rest."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Problem
from provisioning.texts import gettext as _

PROGRAMS = ("haproxy", "keepalived")


def vip_problems(spec: ClusterSpec, facts: Mapping[int, Facts]) -> list[Problem]:
    """What speaks against the VIP and the router id; empty when nothing does.

    facts: by host id, read with the VIP (provisioning.facts.facts_script); a
    control plane without facts is not judged. A cluster that has its VIP
    already (resume) is no problem to itself; of one that runs the network is not asked.
    """
    if not spec.vip:
        return [
            _problem(
                "vip_missing",
                _("A standard cluster needs a VIP: the address of its API."),
                _("Choose a free address of the control planes' network."),
            )
        ]
    try:
        vip = ipaddress.IPv4Address(spec.vip)
    except ValueError:
        return [
            _problem(
                "vip_address",
                _("The VIP %(vip)r is not an IPv4 address.") % {"vip": spec.vip},
                _("Write it as 10.0.0.100, without a prefix."),
            )
        ]
    known = [(host, facts[host.id]) for host in spec.control_plane if host.id in facts]
    found = [*_ranges(spec, vip), *_place(spec, vip, known), *_programs(spec, known)]
    if not spec.running:
        # What answers in a cluster that runs is its own: a member that leaves, or that is away.
        found += [*_taken(spec, vip, known), *_router(spec, known)]
    return found


Known = list[tuple[HostSpec, Facts]]


def _problem(code: str, what: str, mend: str, host: int = 0) -> Problem:
    return Problem(code, what, mend, host, "vip")


def _another() -> str:
    return _("Choose another address.")


def _ranges(spec: ClusterSpec, vip: ipaddress.IPv4Address) -> Iterator[Problem]:
    names: tuple[tuple[str, str], ...] = (
        (spec.pod_cidr, _("The VIP %(vip)s lies in the pods' network %(network)s.")),
        (spec.service_cidr, _("The VIP %(vip)s lies in the services' network %(network)s.")),
    )
    for cidr, what in names:
        try:
            network = ipaddress.IPv4Network(cidr)
        except ValueError:
            continue  # said by the networks' own check
        if vip in network:
            yield _problem("vip_range", what % {"vip": vip, "network": cidr}, _another())


def _place(spec: ClusterSpec, vip: ipaddress.IPv4Address, known: Known) -> Iterator[Problem]:
    """One check of the address itself, one of each control plane's network."""
    owner = next((host for host in spec.hosts if host.address == str(vip)), None)
    if owner is not None:
        yield _problem(
            "vip_taken",
            _("The VIP %(vip)s is the own address of %(host)s.") % {"vip": vip, "host": owner.name},
            _another(),
            owner.id,
        )
        return
    for host, found in known:
        network = next(
            (
                ipaddress.IPv4Network(f"{a.address}/{a.prefix}", strict=False)
                for a in found.addresses
                if a.address == host.address
            ),
            None,
        )
        names = {"vip": vip, "host": host.name, "network": network, "address": host.address}
        if network is None:
            yield _problem(
                "vip_subnet",
                _("%(host)s has no interface with its address %(address)s: there is no place for"
                  " the VIP.") % names,
                _("Give the host the address that its interface has."), host.id,
            )  # fmt: skip
        elif vip not in network:
            yield _problem(
                "vip_subnet",
                _("The VIP %(vip)s is outside %(network)s, the network of %(host)s.") % names,
                _("Choose an address that is in the network of every control plane."), host.id,
            )  # fmt: skip
        elif network.prefixlen < 31 and vip in (
            network.network_address,
            network.broadcast_address,
        ):
            yield _problem(
                "vip_address",
                _("The VIP %(vip)s is the network's or the broadcast address of %(network)s.")
                % names,
                _another(),
            )
            return


def _ours(spec: ClusterSpec, known: Known, has: Callable[[Facts], bool] = lambda _f: True) -> bool:
    """Whether some control plane is in this very cluster already (and `has` says so of it)."""
    return any(spec.id in found.clusters and has(found) for _host, found in known)


def _taken(spec: ClusterSpec, vip: ipaddress.IPv4Address, known: Known) -> Iterator[Problem]:
    if _ours(spec, known, lambda found: found.vip_here):
        return
    for host, found in known:
        if found.vip_here:
            yield _problem(
                "vip_taken",
                _("The VIP %(vip)s is already an address of %(host)s.")
                % {"vip": vip, "host": host.name},
                _("Take it off its interface, or choose another address."), host.id,
            )  # fmt: skip
            return
    for host, found in known:
        if found.vip_answers:
            yield _problem(
                "vip_taken",
                _("The VIP %(vip)s is in use: %(mac)s answered when %(host)s asked for it.")
                % {"vip": vip, "mac": found.vip_answers, "host": host.name},
                _("Choose a free address, or find the machine with this MAC address."), host.id,
            )  # fmt: skip
            return


def _router(spec: ClusterSpec, known: Known) -> Iterator[Problem]:
    # Our own control planes talk to each other under this id.
    if not spec.router_id or _ours(spec, known):
        return
    for host, found in known:
        if spec.router_id in found.vrrp_heard:
            yield _problem(
                "router_id",
                _("VRRP router id %(id)d is in use on the network of %(host)s already.")
                % {"id": spec.router_id, "host": host.name},
                _("Retry: the console then takes another id by itself."), host.id,
            )  # fmt: skip
            return


def _programs(spec: ClusterSpec, known: Known) -> Iterator[Problem]:
    """An admin's own HAProxy or keepalived: its settings would be replaced."""
    for host, found in known:
        if spec.id in found.clusters:
            continue
        running = [
            name
            for name in PROGRAMS
            if (unit := found.units.get(f"{name}.service")) is not None and unit.active
        ]
        if running:
            yield Problem(
                "has_haproxy",
                _("%(host)s: %(names)s runs on it for something else.")
                % {"host": host.name, "names": _(" and ").join(running)},
                _("Stop and disable it, or choose another host."), host.id, "control_plane",
            )  # fmt: skip
