"""What is tried to prove an isolation: from whom, to whom, what is to happen, and what it means.

Pure: nothing here talks to a cluster or to the database. What is to happen is told from the
level and its exceptions and not from the policies that are made of them, so that a mistake in
the one shows in the other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenancy.desired import NamespaceSpec
from tenancy.isolation import (
    BOTH,
    CIDR,
    IN,
    INGRESS_CONTROLLER,
    MONITORING,
    NAMESPACE,
    OUT,
    USUAL,
    peer_text,
    ports_text,
)
from tenancy.models_namespaces import Isolation
from tenancy.models_proofs import Verdict

# Where pods are put: the namespace itself, another one of its tenant, and one of nobody.
OWN, PEER, STRANGER = "own", "peer", "stranger"
# What is tried besides: the cluster's DNS, the API server, and the kubelet's probe.
DNS, OUTSIDE, NODE, OTHER = "dns", "outside", "node", "other"

PASS, DENY, EITHER = "pass", "deny", "either"
PASSED, DENIED, UNTRIED = "passed", "denied", "untried"

PORT = 8080
MOST_PORTS = 2
TRIES = 3


@dataclass(frozen=True)
class Site:
    """A namespace with probe pods. spec: None where it is nobody's; address: of its listener.

    address is "" while it is not known, or where no pod came up.
    """

    key: str
    name: str
    spec: NamespaceSpec | None = None
    address: str = ""


@dataclass(frozen=True)
class Attempt:
    """One line of the matrix.

    source, target: a site's key, or DNS, OUTSIDE, NODE, OTHER; from_name and to_name are for
    people. expected: PASS, DENY, or EITHER where NetworkPolicy itself leaves it open. why: a
    key of tenancy.proof_words.WHY. control: the id of the attempt that shows that the target
    answers at all. required: without it nothing is proved.
    """

    id: str
    source: str
    target: str
    from_name: str
    to_name: str
    expected: str
    why: str
    address: str = ""
    port: int = PORT
    protocol: str = "TCP"
    control: str = ""
    required: bool = True


def plan(
    own: Site,
    stranger: Site,
    peer: Site | None = None,
    *,
    dns: str = "",
    outside: tuple[str, int] | None = None,
) -> list[Attempt]:
    """Every attempt for a namespace; [] where it is open, since there is nothing to prove.

    dns: the address of the cluster's DNS service; outside: address and port of an API server.
    """
    spec = own.spec
    if spec is None or spec.isolation == Isolation.OPEN:
        return []
    others = [site for site in (peer, stranger) if site is not None]
    found = [
        Attempt("node-own", NODE, OWN, "", own.name, PASS, "node", own.address),
        *(_own(own, port) for port in ports(own, peer)),
    ]
    for site in others:
        found.append(_control(site))
        found += [_between(site, own, port) for port in ports(own, peer)]
        found.append(_between(own, site, PORT))
    if outside is not None:
        found += _beyond(own, stranger, OUTSIDE, *outside, "TCP")
    if dns:
        found += _beyond(own, stranger, DNS, dns, 53, "UDP")
    return [*found, *_not_tried(own, peer)]


def ports(own: Site, peer: Site | None) -> list[int]:
    """The ports that the namespace's listener has: where an exception names them for the peer."""
    found = [PORT]
    for item in own.spec.exceptions if own.spec and peer else ():
        if item["kind"] == NAMESPACE and peer and item.get("namespace") == peer.name:
            found += [
                port["port"] for port in item.get("ports") or ()
                if port.get("protocol", "TCP") == "TCP" and port["port"] >= 1024
            ]  # fmt: skip
    return list(dict.fromkeys(found))[: 1 + MOST_PORTS]


def between(source: Site, target: Site, port: int) -> tuple[str, str]:
    """What is to happen on the way from one site's pods to another's, and why."""
    leaves = _leaves(source, target, port)
    enters = _enters(source, target, port)
    for wanted in (DENY, EITHER):
        for one in (enters, leaves):
            if one[0] == wanted:
                return one
    return leaves if enters[1] == "open" else enters


def verdict(attempts: Iterable[Mapping[str, Any]]) -> tuple[Verdict, str]:
    """What the attempts mean together, and a key of tenancy.proof_words.REASONS for it.

    attempts: as kept in IsolationProof.attempts, each with its "outcome".
    """
    rows = list(attempts)
    by_id = {row["id"]: row for row in rows}

    def shown(row: Mapping[str, Any]) -> bool:
        """Whether the target is known to answer, so that silence means a denial."""
        control = by_id.get(row["control"]) if row["control"] else None
        return not row["control"] or (control is not None and control["outcome"] == PASSED)

    denied = [row for row in rows if row["expected"] == DENY]
    if any(row["outcome"] == PASSED for row in denied):
        return Verdict.NOT_ENFORCED, "leak"
    for row in rows:
        about = OWN in (row["source"], row["target"])
        if row["expected"] == PASS and about and row["outcome"] == DENIED and shown(row):
            return Verdict.TOO_STRICT, "blocked"
    needed = [row for row in rows if row["required"] and row["expected"] != EITHER]
    if any(row["outcome"] == UNTRIED for row in needed):
        return Verdict.NOT_PROVED, "untried"
    if not all(shown(row) for row in needed):
        return Verdict.NOT_PROVED, "control"
    if not any(row["outcome"] == DENIED and shown(row) for row in denied):
        return Verdict.NOT_PROVED, "nothing_denied"
    return Verdict.ENFORCED, "enforced"


def _own(own: Site, port: int) -> Attempt:
    return Attempt(
        _id(OWN, OWN, port), OWN, OWN, own.name, own.name, PASS, "own", own.address, port,
        control="node-own" if port == PORT else "",
    )  # fmt: skip


def _control(site: Site) -> Attempt:
    return Attempt(
        _id(site.key, site.key, PORT), site.key, site.key, site.name, site.name, PASS, "control",
        site.address,
    )  # fmt: skip


def _between(source: Site, target: Site, port: int) -> Attempt:
    expected, why = between(source, target, port)
    return Attempt(
        _id(source.key, target.key, port), source.key, target.key, source.name, target.name,
        expected, why, target.address, port, control=_id(target.key, target.key, port),
    )  # fmt: skip


def _beyond(
    own: Site, stranger: Site, target: str, address: str, port: int, protocol: str
) -> list[Attempt]:
    """An address that is no probe pod's. Whether it answers at all is shown from nobody's pods."""
    spec = own.spec
    expected, why = PASS, "free_out"
    if spec is not None and spec.isolation == Isolation.STRICT:
        if target == DNS:
            expected, why = PASS, "dns"
        elif any(_covers(item, address, port, OUT, protocol) for item in spec.exceptions):
            expected, why = PASS, "exception"
        else:
            expected, why = DENY, "closed_out"
    control = _id(STRANGER, target, port)
    common: dict[str, Any] = {
        "address": address, "port": port, "protocol": protocol, "required": False,
    }  # fmt: skip
    return [
        Attempt(control, STRANGER, target, stranger.name, address, PASS, "control", **common),
        Attempt(
            _id(OWN, target, port), OWN, target, own.name, address, expected, why,
            control=control, **common,
        ),
    ]  # fmt: skip


def _not_tried(own: Site, peer: Site | None) -> list[Attempt]:
    """Exceptions for others: no probe pod is put where the tenant has no say."""
    found = []
    for number, item in enumerate(own.spec.exceptions if own.spec else ()):
        if item["kind"] == NAMESPACE and peer and item.get("namespace") == peer.name:
            continue
        going = (item.get("direction") or IN) == OUT
        if going and own.spec and own.spec.isolation != Isolation.STRICT:
            continue
        text = " ".join(filter(None, (peer_text(item), ports_text(item))))
        names = (own.name, text) if going else (text, own.name)
        ends = (OWN, OTHER) if going else (OTHER, OWN)
        found.append(
            Attempt(f"exception-{number}", *ends, *names, PASS, "exception", port=0, required=False)
        )
    return found


def _enters(source: Site, target: Site, port: int) -> tuple[str, str]:
    spec = target.spec
    if spec is None or spec.isolation == Isolation.OPEN:
        return PASS, "open"
    if source.name == target.name:
        return PASS, "own"
    tenant = source.spec.tenant if source.spec else ""
    if spec.isolation == Isolation.TENANT and tenant == spec.tenant:
        return PASS, "tenant"
    return _by_exception(spec, source, port, IN, "closed_in")


def _leaves(source: Site, target: Site, port: int) -> tuple[str, str]:
    spec = source.spec
    if spec is None or spec.isolation != Isolation.STRICT:
        return PASS, "free_out"
    if source.name == target.name:
        return PASS, "own"
    return _by_exception(spec, target, port, OUT, "closed_out")


def _by_exception(
    spec: NamespaceSpec, other: Site, port: int, direction: str, closed: str
) -> tuple[str, str]:
    unsure = False
    for item in spec.exceptions:
        if not _opens(item, port, direction):
            continue
        if item["kind"] == CIDR:
            unsure |= not other.address or _within(item, other.address)
        elif item["kind"] == NAMESPACE:
            if item.get("namespace") == other.name:
                return PASS, "exception"
        elif other.spec is None and other.name in _usual(item):
            return PASS, "exception"
    # Whether a network in an exception is meant for pods, too, each plug-in decides for itself.
    return (EITHER, "cidr") if unsure else (DENY, closed)


def _usual(item: Mapping[str, Any]) -> tuple[str, ...]:
    if item["kind"] not in (INGRESS_CONTROLLER, MONITORING):
        return ()
    name = str(item.get("namespace") or "")
    return (name,) if name else USUAL[item["kind"]]


def _covers(
    item: Mapping[str, Any], address: str, port: int, direction: str, protocol: str
) -> bool:
    return (
        item["kind"] == CIDR and _opens(item, port, direction, protocol) and _within(item, address)
    )


def _within(item: Mapping[str, Any], address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(item["cidr"])


def _opens(item: Mapping[str, Any], port: int, direction: str, protocol: str = "TCP") -> bool:
    if (item.get("direction") or IN) not in (direction, BOTH):
        return False
    wanted = item.get("ports") or ()
    return not wanted or any(
        p["port"] == port and p.get("protocol", "TCP") == protocol for p in wanted
    )


def _id(source: str, target: str, port: int) -> str:
    return f"{source}-{target}-{port}"
