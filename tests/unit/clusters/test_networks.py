"""Networks as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.cluster_networks import network_problems

HOSTS = {"h1": ["10.40.0.1", "10.40.0.1/24"], "h2": ["10.40.0.2/24", "fe80::1/64", "h2.example"]}


def codes(pod: str = "10.244.0.0/16", service: str = "10.96.0.0/16", count: int = 2):
    return [(p.field, p.code) for p in network_problems(pod, service, HOSTS, count)]


def test_the_defaults_are_fine():
    assert codes() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.244.0.0",
        "10.244.0.0/33",
        "nonsense",
        "fd00::/48",
        "10.244.0/16",
        "1.2.3.4.5/8",
        "/16",
    ],
)
def test_what_is_no_network_is_named(text):
    assert codes(pod=text) == [("pod_cidr", "network_unreadable")]
    assert codes(service=text) == [("service_cidr", "network_unreadable")]


def test_host_bits_are_named_with_the_network_that_is_meant():
    problem = network_problems("10.244.3.0/16", "10.96.0.0/16", {}, 1)[0]
    assert problem.code == "network_host_bits"
    assert "10.244.0.0/16" in problem.mend


@pytest.mark.parametrize(
    ("pod", "service", "field"),
    [
        ("10.0.0.0/8", "10.96.0.0/16", "service_cidr"),
        ("10.96.0.0/20", "10.96.0.0/16", "service_cidr"),
    ],
)
def test_pod_and_service_network_must_not_overlap(pod, service, field):
    assert (field, "networks_overlap") in codes(pod, service)


def test_a_network_of_the_hosts_is_refused_and_named():
    problems = network_problems("10.40.0.0/16", "10.96.0.0/16", HOSTS, 2)
    assert {p.code for p in problems} == {"network_of_hosts"}
    assert any("10.40.0.0/24" in p.what and "h1" in p.what for p in problems)


def test_each_node_needs_room():
    assert codes(pod="10.244.0.0/24", count=1) == []
    assert codes(pod="10.244.0.0/24", count=2) == [("pod_cidr", "pod_network_small")]


@pytest.mark.parametrize("size", [4, 7, 25, 32])
def test_sizes_of_the_pod_network(size):
    assert ("pod_cidr", "network_size") in codes(pod=f"0.0.0.0/{size}")


@pytest.mark.parametrize("size", [8, 11, 29, 32])
def test_sizes_of_the_service_network(size):
    assert ("service_cidr", "network_size") in codes(service=f"0.0.0.0/{size}")


@pytest.mark.parametrize("text", ["127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/16", "240.0.0.0/16"])
def test_special_ranges_are_refused(text):
    assert codes(pod=text) == [("pod_cidr", "network_special")]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_text_gives_problems_and_never_an_error(pod, service, own):
    for problem in network_problems(pod, service, {"h": [own]}, 1):
        assert problem.what
        assert problem.mend
