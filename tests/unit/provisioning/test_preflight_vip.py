"""The VIP of a standard cluster: each reason against it, and none against a cluster that has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.facts import Address, Facts, Listener, UnitFact
from provisioning.preflight import preflight
from provisioning.preflight_vip import vip_problems
from provisioning.spec import ClusterSpec
from tests.unit.provisioning.conftest import CLUSTER, GIB, facts_of
from tests.unit.provisioning.standard import VIP, standard_spec

MAC = "02:42:ac:11:00:02"


def facts_with(spec: ClusterSpec, place: int = 0, **changes: object) -> dict[int, Facts]:
    facts = facts_of(spec)
    host = spec.control_plane[place]
    facts[host.id] = replace(facts[host.id], **changes)  # type: ignore[arg-type]
    return facts


def codes(spec: ClusterSpec, facts: dict[int, Facts]) -> list[str]:
    return [p.code for p in vip_problems(spec, facts)]


def test_a_free_address_of_the_network_is_fine() -> None:
    spec = standard_spec()
    assert vip_problems(spec, facts_of(spec)) == []
    facts = facts_of(spec, memory=4 * GIB)
    assert preflight(spec, facts) == []


@pytest.mark.parametrize(
    ("vip", "code", "word"),
    [
        ("", "vip_missing", "needs a VIP"),
        ("10.80.0.300", "vip_address", "not an IPv4 address"),
        ("10.80.0.100/24", "vip_address", "not an IPv4 address"),
        ("fd00::100", "vip_address", "not an IPv4 address"),
        ("10.80.0.0", "vip_address", "broadcast"),
        ("10.80.0.255", "vip_address", "broadcast"),
        ("10.80.0.12", "vip_taken", "node2"),
        ("10.80.0.14", "vip_taken", "node4"),
    ],
)
def test_an_address_that_can_be_no_vip(vip: str, code: str, word: str) -> None:
    spec = standard_spec(vip=vip)
    problems = preflight(spec, facts_of(spec, memory=4 * GIB))
    assert [p.code for p in problems] == [code]
    assert problems[0].field == "vip"
    assert word in problems[0].what
    assert problems[0].mend


def test_it_must_be_in_the_network_of_every_control_plane() -> None:
    spec = standard_spec()
    elsewhere = (Address("eth0", "10.80.0.13", 26), Address("eth1", "10.80.0.99", 24))
    problems = vip_problems(spec, facts_with(spec, 2, addresses=elsewhere))
    assert [(p.code, p.host) for p in problems] == [("vip_subnet", 12)]
    assert "10.80.0.0/26, the network of node3" in problems[0].what
    nowhere = facts_with(spec, 2, addresses=(Address("eth0", "192.0.2.1", 24),))
    assert codes(spec, nowhere) == ["vip_subnet"]


def test_it_must_not_lie_where_pods_or_services_are() -> None:
    assert codes(*_ranges(pod_cidr="10.80.0.0/16")) == ["vip_range"]
    assert codes(*_ranges(service_cidr="10.80.0.96/27")) == ["vip_range"]
    # Written wrongly: that is said elsewhere, once.
    assert codes(*_ranges(pod_cidr="10.80.0.0/99")) == []


def _ranges(**changes: object) -> tuple[ClusterSpec, dict[int, Facts]]:
    spec = standard_spec(**changes)
    return spec, facts_of(spec)


def test_an_address_that_answers_is_taken_and_says_by_whom() -> None:
    spec = standard_spec()
    facts = facts_of(spec, vip_answers=MAC)
    problems = vip_problems(spec, facts)
    assert [p.code for p in problems] == ["vip_taken"], "once, not by every host"
    assert MAC in problems[0].what


def test_another_clusters_vip_on_one_of_the_hosts_is_taken() -> None:
    spec = standard_spec()
    facts = facts_with(spec, 1, vip_here=True)
    assert codes(spec, facts) == ["vip_taken"]
    assert "node2" in vip_problems(spec, facts)[0].what


def test_a_cluster_that_has_its_vip_is_no_problem_to_itself() -> None:
    spec = standard_spec()
    facts = facts_of(spec, clusters=(CLUSTER,), vip_answers=MAC, vrrp_heard=(77,))
    holder = spec.control_plane[1].id
    facts[holder] = replace(facts[holder], vip_here=True, vip_answers="")
    assert vip_problems(spec, facts) == []
    # A newcomer hears and asks the others.
    new = spec.control_plane[2].id
    facts[new] = replace(facts[new], clusters=())
    assert vip_problems(spec, facts) == []


def test_somebody_else_who_answers_while_no_host_of_the_cluster_has_it_is_a_problem() -> None:
    spec = standard_spec()
    assert codes(spec, facts_of(spec, clusters=(CLUSTER,), vip_answers=MAC)) == ["vip_taken"]


def test_a_router_id_that_is_heard_is_taken() -> None:
    spec = standard_spec()
    facts = facts_with(spec, 2, vrrp_heard=(51, 77), vrrp_listened=True)
    assert codes(spec, facts) == ["router_id"]
    assert "77" in vip_problems(spec, facts)[0].what
    assert codes(standard_spec(router_id=78), facts) == []
    assert codes(spec, facts_of(spec, clusters=(CLUSTER,), vrrp_heard=(77,))) == []


@pytest.mark.parametrize("port", [8443, 8444, 8445])
def test_the_load_balancers_ports_must_be_free(port: int) -> None:
    spec = standard_spec()
    taken = (Listener("tcp", "0.0.0.0", port, "nginx"),)
    facts = facts_of(spec, memory=4 * GIB)
    facts[10] = replace(facts[10], listeners=taken)
    assert [p.code for p in preflight(spec, facts)] == ["port_in_use"]
    facts[10] = replace(
        facts[10], clusters=(CLUSTER,), listeners=(Listener("tcp", "0.0.0.0", port, "haproxy"),)
    )
    assert preflight(spec, facts) == []
    worker = spec.workers[0].id
    facts[worker] = replace(facts[worker], listeners=taken)
    assert preflight(spec, facts) == [], "a worker has no load balancer"


@pytest.mark.parametrize("name", ["haproxy", "keepalived"])
def test_an_admins_own_is_not_taken_over(name: str) -> None:
    spec = standard_spec()
    units = {f"{name}.service": UnitFact(True, True, "active (running)")}
    problems = vip_problems(spec, facts_with(spec, units=units))
    assert [(p.code, p.field, p.host) for p in problems] == [("has_haproxy", "control_plane", 10)]
    assert name in problems[0].what
    assert codes(spec, facts_with(spec, units=units, clusters=(CLUSTER,))) == []
    # Installed and not running is what the distribution leaves.
    idle = {f"{name}.service": UnitFact(True, False, "inactive (dead)")}
    assert codes(spec, facts_with(spec, units=idle)) == []


def test_a_lightweight_cluster_has_no_vip_to_judge() -> None:
    from tests.unit.provisioning.conftest import make_spec

    spec = make_spec()
    assert preflight(spec, facts_of(spec, vip_answers=MAC)) == []
    assert VIP not in spec.endpoint
