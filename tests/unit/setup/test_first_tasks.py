"""What the demo registers and launches, seen in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from clusters.models import Cluster
from console.accounts.models import User
from console.audit.models import AuditEvent
from lab import first_tasks
from lab.errors import LabError
from provisioning.models import Host, HostState, SSHCredential, Task, TaskStatus
from provisioning.operations import OPERATIONS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBjWtH+BAbspKuf+wKxoaPI3yz+gMTnPrblCXg/ej0tv"
PARAMETERS = {"lab": "demo", "subnet": None, "hosts": 2, "cluster": True}


@dataclass
class Machine:
    """A host of a lab, as far as the console needs to know it."""

    name: str
    address: str
    ssh_host_key: str = KEY
    port: int = 22


@dataclass
class Machines:
    hosts: list[Machine]


def two_machines() -> Any:
    return Machines([Machine("node1", "10.77.0.11"), Machine("node2", "10.77.0.12")])


def test_defaults_and_what_the_environment_says() -> None:
    assert first_tasks.parameters_of({}) == {
        "lab": "demo",
        "subnet": None,
        "hosts": 6,
        "cluster": True,
    }
    told = {
        "DEMO_CLUSTER": "0",
        "DEMO_HOSTS": "2",
        "DEMO_LAB": "mine",
        "DEMO_SUBNET": "10.9.0.0/24",
    }
    assert first_tasks.parameters_of(told) == {
        "lab": "mine",
        "subnet": "10.9.0.0/24",
        "hosts": 2,
        "cluster": False,
    }


@pytest.mark.parametrize("count", ["0", "-1", "six", "1.5"])
def test_a_number_of_hosts_that_is_none_is_refused(count: str) -> None:
    with pytest.raises(LabError, match="DEMO_HOSTS"):
        first_tasks.parameters_of({"DEMO_HOSTS": count})


def test_the_consoles_key_is_made_once_and_kept_encrypted(admin: User) -> None:
    public = first_tasks.console_key(admin)
    assert public.startswith("ssh-ed25519 ") and first_tasks.console_key(admin) == public
    (stored,) = SSHCredential.objects.values_list("private_key", flat=True)
    assert "PRIVATE KEY" not in str(stored)
    assert AuditEvent.objects.filter(action="credential.created").count() == 1


def test_hosts_of_the_lab_are_registered_as_trusted_once(admin: User) -> None:
    first_tasks.console_key(admin)
    first_tasks.register_hosts(two_machines(), admin)
    first_tasks.register_hosts(two_machines(), admin)
    hosts = list(Host.objects.order_by("name"))
    assert [(h.name, h.address, h.host_key, h.is_lab) for h in hosts] == [
        ("node1", "10.77.0.11", KEY, True),
        ("node2", "10.77.0.12", KEY, True),
    ]
    assert AuditEvent.objects.filter(action="host.added").count() == 2


def test_a_name_that_is_taken_gets_a_prefix(admin: User) -> None:
    first_tasks.console_key(admin)
    Host.objects.create(name="node1", address="192.0.2.1")
    first_tasks.register_hosts(two_machines(), admin)
    assert Host.objects.get(address="10.77.0.11").name == "lab-node1"


def test_somebodys_own_host_with_such_an_address_is_not_taken_over(admin: User) -> None:
    first_tasks.console_key(admin)
    Host.objects.create(name="mine", address="10.77.0.12", host_key="ssh-ed25519 AAAA")
    with pytest.raises(LabError, match=r"mine .* has its address"):
        first_tasks.register_hosts(two_machines(), admin)
    assert list(Host.objects.values_list("name", flat=True)) == ["mine"]


def test_hosts_that_were_made_anew_are_trusted_with_their_new_keys(admin: User) -> None:
    first_tasks.console_key(admin)
    first_tasks.register_hosts(two_machines(), admin)
    Host.objects.update(state=HostState.KEY_CHANGED, offered_key="x")
    again = two_machines()
    again.hosts[0].ssh_host_key = KEY[:-4] + "AAAA"
    first_tasks.register_hosts(again, admin)
    host = Host.objects.get(name="node1")
    assert (host.host_key, host.offered_key, host.state) == (KEY[:-4] + "AAAA", "", HostState.NEW)


def test_the_labs_operations_are_left_to_its_own_worker() -> None:
    queues = {name: OPERATIONS[name].queue for name in OPERATIONS if name.startswith("lab_")}
    assert queues == {"lab_base": "lab", "lab_hosts": "lab", "lab_kubernetes": "lab"}


def test_somebody_who_deleted_the_first_cluster_is_not_given_another(admin: User) -> None:
    for number in (1, 2):
        Host.objects.create(
            name=f"node{number}",
            address=f"10.77.0.1{number}",
            is_lab=True,
            state=HostState.READY,
        )
    Task.objects.create(
        operation="create_lightweight",
        title="x",
        cluster_name=first_tasks.CLUSTER,
        status=TaskStatus.SUCCEEDED,
    )
    assert first_tasks.first_cluster(admin) is None
    assert not Cluster.objects.exists()


def test_what_failed_is_tried_again_only_at_the_next_start(admin: User) -> None:
    def want(start: bool) -> Task | None:
        return first_tasks._want("lab_base", admin, PARAMETERS, start)

    first = want(start=False)
    assert first is not None and first.parameters == PARAMETERS
    assert want(start=False) is None  # it is on its way
    Task.objects.update(status=TaskStatus.FAILED)
    assert want(start=False) is None
    again = want(start=True)
    assert again is not None and again.pk == first.pk
    assert Task.objects.get().status == TaskStatus.QUEUED
