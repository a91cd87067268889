"""Preflight: each reason why a host or a cluster is refused, named one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.facts import Address, Disk, Facts, Listener, UnitFact
from provisioning.preflight import preflight
from provisioning.spec import ClusterSpec
from tests.unit.provisioning.conftest import CLUSTER, GIB, bare_facts, facts_of, make_spec

MIB = 1024**2


def codes(spec: ClusterSpec, facts: dict[int, Facts]) -> list[str]:
    return [p.code for p in preflight(spec, facts)]


def with_host(index: int = 0, **changes: object) -> tuple[ClusterSpec, dict[int, Facts]]:
    spec = make_spec()
    facts = facts_of(spec)
    host = spec.hosts[index]
    facts[host.id] = replace(facts[host.id], **changes)  # type: ignore[arg-type]
    return spec, facts


def test_good_hosts_have_no_problem() -> None:
    spec = make_spec(workers=3)
    assert preflight(spec, facts_of(spec)) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"arch": "arm64"}, "architecture"),
        ({"root": False}, "no_root"),
        ({"init": "runit"}, "no_systemd"),
        ({"cpus": 0}, "cpu"),
        ({"memory": 500 * MIB}, "memory"),
        ({"skew": 3600.0}, "clock"),
        ({"skew": -31.0}, "clock"),
        ({"traces": ("process kubelet (12)",)}, "has_kubernetes"),
        ({"clusters": (99,)}, "in_cluster"),
        ({"disks": (Disk("/", "/", GIB, 100 * MIB),)}, "disk"),
    ],
)
def test_a_host_that_does_not_fit(changes: dict[str, object], code: str) -> None:
    spec, facts = with_host(**changes)
    problems = preflight(spec, facts)
    assert [p.code for p in problems] == [code]
    assert problems[0].host == spec.hosts[0].id
    assert problems[0].field == "control_plane"
    assert problems[0].what.startswith("node1: ")
    assert problems[0].mend


def test_a_worker_needs_less() -> None:
    assert codes(*with_host(1, memory=600 * MIB)) == []
    assert codes(*with_host(1, memory=400 * MIB)) == ["memory"]


def test_skew_of_half_a_minute_is_still_fine() -> None:
    assert codes(*with_host(skew=29.0)) == []


def test_the_clock_problem_says_how_much() -> None:
    spec, facts = with_host(skew=3600.0)
    assert "60 min ahead" in preflight(spec, facts)[0].what


def test_a_taken_port_is_named_with_its_holder() -> None:
    spec, facts = with_host(listeners=(Listener("tcp", "0.0.0.0", 6443, "nginx"),))
    problem = preflight(spec, facts)[0]
    assert problem.code == "port_in_use"
    assert "6443" in problem.what
    assert "nginx" in problem.what


def test_ports_that_only_a_control_plane_needs_are_free_to_use_on_workers() -> None:
    assert codes(*with_host(1, listeners=(Listener("tcp", "::", 6443, "nginx"),))) == []
    assert codes(*with_host(1, listeners=(Listener("udp", "::", 10250, "x"),))) == []
    assert codes(*with_host(1, listeners=(Listener("tcp", "::", 10250, "x"),))) == ["port_in_use"]


def test_a_port_on_two_addresses_is_one_problem() -> None:
    both = (Listener("tcp", "0.0.0.0", 10250, "x"), Listener("tcp", "::", 10250, "x"))
    assert codes(*with_host(listeners=both)) == ["port_in_use"]


def test_our_own_cluster_may_be_repaired_and_resumed() -> None:
    spec, facts = with_host(
        clusters=(CLUSTER,),
        traces=("process kube-apiserver (1)",),
        listeners=(
            Listener("tcp", "::", 6443, "kube-apiserver"),
            Listener("tcp", "::", 10257, "kube-controller"),
        ),
        disks=(Disk("/", "/", GIB, 900 * MIB),),
    )
    assert preflight(spec, facts) == []


def test_even_in_our_own_cluster_a_stranger_on_the_port_is_a_problem() -> None:
    listeners = (Listener("tcp", "::", 6443, "nginx"),)
    assert codes(*with_host(clusters=(CLUSTER,), listeners=listeners)) == ["port_in_use"]


def test_a_host_that_was_never_looked_at() -> None:
    spec = make_spec()
    facts = facts_of(spec)
    del facts[spec.workers[0].id]
    problems = preflight(spec, facts)
    assert [(p.code, p.field) for p in problems] == [("unknown_host", "workers")]


def test_clones_are_found() -> None:
    spec = make_spec()
    facts = facts_of(spec)
    facts[spec.workers[0].id] = replace(facts[spec.workers[0].id], machine_id=f"{0:032x}")
    problem = preflight(spec, facts)[0]
    assert problem.code == "machine_id"
    assert "node1" in problem.what


def test_two_hosts_of_one_name_or_address() -> None:
    spec = make_spec()
    worker = spec.workers[0]
    assert codes(replace(spec, workers=(replace(worker, name="node1"),)), facts_of(spec)) == [
        "same_name"
    ]
    same = replace(spec, workers=(replace(worker, address="10.80.0.11"),))
    assert "same_address" in codes(same, facts_of(spec))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pod_cidr": "10.96.0.0/12"}, "service_cidr"),
        ({"pod_cidr": "10.80.0.0/16"}, "pod_cidr"),
        ({"service_cidr": "10.80.0.0/24"}, "service_cidr"),
        ({"pod_cidr": "10.244.0.0/24"}, "pod_cidr"),
        ({"pod_cidr": "ten"}, "pod_cidr"),
        ({"pod_cidr": "10.244.0.1/16"}, "pod_cidr"),
        ({"service_cidr": "10.96.0.0/30"}, "service_cidr"),
    ],
)
def test_networks_that_cannot_work(changes: dict[str, str], field: str) -> None:
    spec = make_spec(**changes)
    problems = preflight(spec, facts_of(spec))
    assert problems
    assert {p.field for p in problems} == {field}


def test_the_routed_network_needs_one_subnet() -> None:
    spec, facts = with_host(1, addresses=(Address("eth0", "192.168.9.12", 24),))
    spec = replace(spec, workers=(replace(spec.workers[0], address="192.168.9.12"),))
    assert codes(spec, facts) == ["subnets"]
    overlay = replace(spec, options={"network": "manifest", "network_manifest": "x"})
    assert codes(overlay, facts) == []


def test_a_lightweight_cluster_has_one_control_plane() -> None:
    spec = make_spec(workers=2)
    two = replace(spec, control_plane=spec.hosts[:2], workers=spec.hosts[2:])
    assert codes(two, facts_of(spec)) == ["control_planes"]


def test_releases_that_cannot_be_set_up() -> None:
    spec = make_spec("v1.19.0")
    assert codes(spec, facts_of(spec)) == ["version"]
    spec = make_spec()
    release = replace(
        spec.release, files=tuple(f for f in spec.release.files if f.name != "kubelet")
    )
    problems = preflight(replace(spec, release=release), facts_of(spec))
    assert [p.code for p in problems] == ["release_incomplete"]
    assert "kubelet" in problems[0].what


def test_docker_on_the_host() -> None:
    docker = {"docker.service": UnitFact(True, True, "active (running)")}
    spec, facts = with_host(packages={"docker.io": "20"}, units=docker)
    assert codes(spec, facts) == ["docker"]


def test_a_name_that_is_no_label() -> None:
    spec = make_spec(name="Edge_1")
    assert [(p.code, p.field) for p in preflight(spec, facts_of(spec))] == [("bad_name", "name")]


def test_all_problems_are_told_at_once() -> None:
    spec = make_spec(workers=2)
    facts = {h.id: bare_facts(h.index, arch="arm64", cpus=0) for h in spec.hosts}
    assert len(preflight(spec, facts)) == 6
