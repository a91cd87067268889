"""Which hosts the form of a new cluster offers, and why not the others."""

from __future__ import annotations

import pytest

from provisioning.facts import Disk, Listener
from provisioning.hosts import suitability
from provisioning.models import Host, HostState
from tests.factories import ClusterFactory, HostFactory
from tests.unit.hosts.conftest import GIB, facts

ROLES = ("control_plane", "worker")


def host(**changes) -> Host:
    state = changes.pop("state", HostState.READY)
    skew = changes.pop("clock_skew", 0.0)
    return Host(name="node-1", state=state, clock_skew=skew, facts=facts(**changes))


@pytest.mark.parametrize("role", ROLES)
def test_a_good_host_is_taken(role):
    assert suitability(host(), role) == []
    assert suitability(host(), role, "amd64") == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"state": HostState.UNREACHABLE}, "Unreachable"),
        ({"state": HostState.KEY_CHANGED}, "key changed"),
        ({"state": HostState.UNTRUSTED}, "trusted"),
        ({"state": HostState.NEW}, "Not checked"),
        ({"arch": "arm64"}, "arm64"),
        ({"arch": "s390x"}, "s390x"),
        ({"cpus": 0}, "CPU"),
        ({"memory": 256 * 1024**2}, "memory"),
        ({"disks": (Disk("/", "/", 40 * GIB, GIB),)}, "free on /"),
        ({"clock_skew": 3600.0}, "clock"),
        ({"clock_skew": -31.0}, "clock"),
        ({"root": False}, "no root rights"),
        ({"init": "sysvinit"}, "systemd"),
        ({"traces": ("kubelet runs",)}, "kubelet runs"),
        ({"listeners": (Listener("tcp", "::", 10250, "kubelet"),)}, "10250 is taken by kubelet"),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_an_unfit_host_says_why(role, changes, part):
    assert any(part in reason for reason in suitability(host(**changes), role, "amd64"))


def test_port_6443_matters_for_a_control_plane_only():
    busy = host(listeners=(Listener("tcp", "0.0.0.0", 6443, "nginx"),))
    assert suitability(busy, "control_plane") == ["port 6443 is taken by nginx"]
    assert suitability(busy, "worker") == []


def test_a_worker_needs_less_than_a_control_plane():
    small = host(memory=600 * 1024**2)
    assert suitability(small, "worker") == []
    assert suitability(small, "control_plane")


def test_every_reason_is_named_at_once():
    assert len(suitability(host(cpus=0, memory=1, root=False, clock_skew=99.0), "worker")) == 4


def test_a_host_that_was_never_checked_is_not_taken():
    assert suitability(Host(name="a", state=HostState.READY, facts={}), "worker")


@pytest.mark.django_db
def test_a_host_of_another_cluster_names_it():
    used = HostFactory(cluster=ClusterFactory(name="prod"), facts=facts())
    assert "prod" in suitability(used, "worker")[0]
