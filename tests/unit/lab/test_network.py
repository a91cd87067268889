"""Addresses and names: two labs never share one."""

from __future__ import annotations

import re

import pytest

from lab.errors import LabError
from lab.network import AddressPlan


def test_the_demo_lab_has_the_addresses_that_the_documentation_names() -> None:
    plan = AddressPlan.of("demo", "10.77.0.0/24")
    assert plan.bridge == "flotilla0"
    assert plan.gateway == "10.77.0.1"
    assert [plan.address(n) for n in (1, 2, 6)] == ["10.77.0.11", "10.77.0.12", "10.77.0.16"]


def test_names_of_two_labs_differ_and_fit_linux() -> None:
    one, two = AddressPlan.of("test-a", "10.79.0.0/25"), AddressPlan.of("test-b", "10.79.0.128/25")
    assert one.bridge != two.bridge
    assert one.namespace("node1") != two.namespace("node1")
    assert one.link(1) != two.link(1)
    assert all(len(name) <= 15 for name in (one.bridge, one.link(99), two.link(99)))
    assert one.link(1) == AddressPlan.of("test-a", "10.81.0.0/24").link(1)


def test_hardware_addresses_are_lasting_local_and_unique() -> None:
    one, two = AddressPlan.of("test-a", "10.79.0.0/25"), AddressPlan.of("test-b", "10.79.0.128/25")
    macs = [plan.mac(number) for plan in (one, two) for number in range(20)]
    assert len(set(macs)) == 40
    assert all(re.fullmatch("02(:[0-9a-f]{2}){5}", mac) for mac in macs)
    assert one.mac(3) == AddressPlan.of("test-a", "10.79.0.0/25").mac(3)


def test_capacity_leaves_room_for_virtual_addresses() -> None:
    plan = AddressPlan.of("small", "10.79.0.0/26")
    assert plan.capacity == 37
    assert plan.address(plan.capacity) == "10.79.0.47"


@pytest.mark.parametrize(
    ("name", "subnet"),
    [
        ("", "10.78.0.0/24"),
        ("Upper", "10.78.0.0/24"),
        ("../up", "10.78.0.0/24"),
        ("a" * 33, "10.78.0.0/24"),
        ("fine", "10.78.0.5/24"),
        ("fine", "words"),
        ("fine", "8.8.8.0/24"),
        ("fine", "10.78.0.0/28"),
    ],
)
def test_unusable_names_and_subnets_are_refused(name: str, subnet: str) -> None:
    with pytest.raises(LabError):
        AddressPlan.of(name, subnet)
