"""What a proof tries, and what its tries mean: for every level, exception and answer."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy import isolation
from tenancy.desired import NamespaceSpec
from tenancy.models import Isolation, Verdict
from tenancy.proof_plan import (
    DENIED,
    DENY,
    EITHER,
    NODE,
    OTHER,
    OUTSIDE,
    OWN,
    PASS,
    PASSED,
    PEER,
    STRANGER,
    UNTRIED,
    Site,
    between,
    plan,
    verdict,
)
from tests.unit.tenancy.test_isolation import passes

LEVELS = [level.value for level in Isolation]
NAMES = st.sampled_from(["own", "peer", "bank", "flotilla-probe-1"])
PORTS = st.lists(
    st.fixed_dictionaries(
        {"port": st.sampled_from([53, 8080, 5432, 6443]), "protocol": st.sampled_from(["TCP"])}
    ),
    max_size=2,
)
DIRECTIONS = st.sampled_from(["in", "out", "both"])
CIDRS = st.sampled_from(["10.244.0.0/16", "10.244.1.3/32", "192.0.2.0/24", "0.0.0.0/0"])
NAMED = st.fixed_dictionaries(
    {"kind": st.just("namespace"), "namespace": NAMES, "direction": DIRECTIONS, "ports": PORTS}
)
KINDS = st.sampled_from(["monitoring", "ingress-controller"])
USUAL = st.fixed_dictionaries({"kind": KINDS, "direction": DIRECTIONS, "ports": PORTS})
NETWORKS = st.fixed_dictionaries(
    {"kind": st.just("cidr"), "cidr": CIDRS, "direction": DIRECTIONS, "ports": PORTS}
)


def specs(name: str, *kinds: st.SearchStrategy) -> st.SearchStrategy[NamespaceSpec]:
    return st.builds(
        NamespaceSpec, name=st.just(name), tenant=st.just("shop"),
        isolation=st.sampled_from(LEVELS),
        exceptions=st.lists(st.one_of(*kinds), max_size=4).map(tuple),
    )  # fmt: skip


def site(key: str, name: str, spec: NamespaceSpec | None, last: int) -> Site:
    return Site(key, name, spec, f"10.244.1.{last}")


def sites(own: NamespaceSpec, peer: NamespaceSpec) -> tuple[Site, Site, Site]:
    return (
        site(OWN, "own", own, 1),
        site(STRANGER, "flotilla-probe-1", None, 2),
        site(PEER, "peer", peer, 3),
    )


def labels(of: Site) -> dict:
    found = {isolation.NAME_LABEL: of.name}
    return {"ns": {**found, isolation.TENANT_LABEL: "shop"} if of.spec else found}


def allowed(source: Site, target: Site, port: int) -> bool:
    """By the policies that are really made, as a network plug-in reads them."""
    leaves = source.spec is None or passes(source.spec, "out", labels(target), port)
    enters = target.spec is None or passes(target.spec, "in", labels(source), port)
    return leaves and enters


@given(specs("own", NAMED, USUAL), specs("peer", NAMED, USUAL), st.sampled_from([8080, 5432]))
def test_what_is_expected_is_what_the_policies_mean(own, peer, port) -> None:
    """The plan goes by the level, the policies by their selectors: both say the same."""
    for source in sites(own, peer):
        for target in sites(own, peer):
            expected, why = between(source, target, port)
            assert expected != EITHER
            assert (expected == PASS) == allowed(source, target, port), (why, source, target)


@given(specs("own", NAMED, USUAL, NETWORKS), specs("peer", NAMED, NETWORKS))
def test_a_plan_holds_together(own, peer) -> None:
    first, stranger, second = sites(own, peer)
    found = plan(first, stranger, second, dns="10.96.0.10", outside=("192.0.2.9", 6443))
    if own.isolation == Isolation.OPEN:
        assert found == []
        return
    ids = [one.id for one in found]
    assert len(ids) == len(set(ids))
    ways = {(one.source, one.target, one.to_name, one.port, one.expected) for one in found}
    denied = {way[:4] for way in ways if way[4] == DENY}
    assert denied.isdisjoint(way[:4] for way in ways if way[4] == PASS)
    assert {one.expected for one in found if one.source == NODE} == {PASS}
    for one in found:
        assert not one.control or one.control in ids, "each control is an attempt of the plan"
        # A denial without a control would be silence and no proof.
        assert one.expected != DENY or one.control
        assert one.expected != DENY or OWN in (one.source, one.target)


@given(specs("own", NETWORKS), specs("peer", NETWORKS))
def test_a_network_that_covers_a_pod_is_never_judged(own, peer) -> None:
    everywhere = {"kind": "cidr", "cidr": "0.0.0.0/0", "direction": "both", "ports": []}
    wide = dataclasses.replace(own, exceptions=(everywhere,))
    first, stranger, second = sites(wide, peer)
    for one in plan(first, stranger, second):
        if one.source == STRANGER and one.target == OWN:
            assert one.expected == EITHER


def test_the_outside_is_denied_by_strict_alone() -> None:
    for level in ("tenant", "namespace", "strict"):
        own = NamespaceSpec("own", "shop", isolation=level)
        first, stranger, _ = sites(own, own)
        found = plan(first, stranger, outside=("192.0.2.9", 6443), dns="10.96.0.10")
        by_id = {one.id: one for one in found}
        assert by_id["own-outside-6443"].expected == (DENY if level == "strict" else PASS)
        assert by_id["own-dns-53"].expected == PASS
        assert by_id["stranger-own-8080"].expected == DENY
    listed = {"kind": "cidr", "cidr": "192.0.2.0/24", "direction": "out", "ports": []}
    own = NamespaceSpec("own", "shop", isolation="strict", exceptions=(listed,))
    first, stranger, _ = sites(own, own)
    found = {one.id: one for one in plan(first, stranger, outside=("192.0.2.9", 6443))}
    assert (found["own-outside-6443"].expected, found["own-outside-6443"].why) == (
        PASS,
        "exception",
    )


def test_the_port_that_an_exception_names_for_the_tenants_other_namespace_is_tried() -> None:
    port = {"port": 5432, "protocol": "TCP"}
    item = {"kind": "namespace", "namespace": "peer", "direction": "in", "ports": [port]}
    own = NamespaceSpec("own", "shop", isolation="namespace", exceptions=(item,))
    first, stranger, second = sites(own, NamespaceSpec("peer", "shop"))
    found = {one.id: one.expected for one in plan(first, stranger, second)}
    assert (found["peer-own-5432"], found["peer-own-8080"]) == (PASS, DENY)
    assert found["stranger-own-5432"] == DENY


def rows(level: str = "strict", **fields) -> list[dict]:
    """A plan in which everything went as it must."""
    own = NamespaceSpec("own", "shop", isolation=level)
    first, stranger, second = sites(own, NamespaceSpec("peer", "shop"))
    found = plan(first, stranger, second, outside=("192.0.2.9", 6443), **fields)
    return [
        {
            **dataclasses.asdict(one),
            "outcome": {PASS: PASSED, DENY: DENIED, EITHER: UNTRIED}[one.expected],
        }
        for one in found
    ]


@pytest.mark.parametrize("level", ["tenant", "namespace", "strict"])
def test_enforced_when_everything_went_as_it_must(level) -> None:
    assert verdict(rows(level)) == (Verdict.ENFORCED, "enforced")


@given(st.data(), st.sampled_from(["tenant", "namespace", "strict"]))
def test_it_is_never_enforced_by_less(data, level) -> None:
    """Whatever was seen: a leak, a must-pass that was denied, or a gap is never `enforced`."""
    found = rows(level, dns="10.96.0.10")
    for row in found:
        row["outcome"] = data.draw(st.sampled_from([PASSED, PASSED, DENIED, DENIED, UNTRIED]))
    said, _why = verdict(found)
    by_id = {row["id"]: row for row in found}
    leaks = [row for row in found if row["expected"] == DENY and row["outcome"] == PASSED]
    if leaks:
        assert said == Verdict.NOT_ENFORCED
    if said == Verdict.ENFORCED:
        for row in found:
            if row["expected"] == DENY and row["required"]:
                assert row["outcome"] == DENIED
                assert by_id[row["control"]]["outcome"] == PASSED
            if (
                row["expected"] == PASS
                and row["required"]
                and OWN in (row["source"], row["target"])
            ):
                assert row["outcome"] == PASSED


def without(found: list[dict], key: str, outcome: str) -> list[dict]:
    return [{**row, "outcome": outcome} if row["id"] == key else row for row in found]


@pytest.mark.parametrize(
    ("key", "outcome", "said"),
    [
        ("stranger-own-8080", PASSED, (Verdict.NOT_ENFORCED, "leak")),
        ("own-outside-6443", PASSED, (Verdict.NOT_ENFORCED, "leak")),
        ("own-own-8080", DENIED, (Verdict.TOO_STRICT, "blocked")),
        ("node-own", DENIED, (Verdict.TOO_STRICT, "blocked")),
        ("stranger-own-8080", UNTRIED, (Verdict.NOT_PROVED, "untried")),
        ("stranger-stranger-8080", DENIED, (Verdict.NOT_PROVED, "control")),
        # Nobody reaches the API server from a pod: that says nothing about this namespace.
        ("stranger-outside-6443", DENIED, (Verdict.ENFORCED, "enforced")),
    ],
)
def test_one_thing_that_went_otherwise(key, outcome, said) -> None:
    found = rows("strict")
    assert key in {row["id"] for row in found}
    assert verdict(without(found, key, outcome)) == said


def test_what_is_others_is_shown_and_hinders_no_verdict() -> None:
    item = {"kind": "monitoring", "direction": "in", "ports": []}
    own = NamespaceSpec("own", "shop", isolation="namespace", exceptions=(item,))
    first, stranger, _ = sites(own, own)
    found = plan(first, stranger)
    (other,) = (one for one in found if OTHER in (one.source, one.target))
    assert (other.from_name, other.to_name, other.required) == ("monitoring", "own", False)
    assert OUTSIDE not in {one.target for one in found}
