"""A form with a table of hosts, a role for each: what creating and growing a cluster share."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from provisioning.cluster_spec import facts_of, node_address
from provisioning.clusters import unsuitable
from provisioning.facts import Facts
from provisioning.forms_operations import OperationForm
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.steps.base import Problem

NOT_USED = ("", _("Not used"))
CONTROL_PLANE = (ClusterRole.CONTROL_PLANE.value, _("Control plane"))
WORKER = (ClusterRole.WORKER.value, _("Worker"))
ROLES = (NOT_USED, CONTROL_PLANE, WORKER)
# What is chosen in the table of hosts has no field of its own.
PLACEMENT = ("control_plane", "workers", "hosts")


@dataclass
class HostRow:
    """One host of the form's table: its facts, the field of its role, and what is wrong with it.

    network: the IPv4 network that its address is in ("10.0.0.0/24"), "" when not known.
    """

    host: Host
    facts: Facts | None
    field: Any
    problem: Problem | None
    problems: list[Problem]
    network: str = ""

    @property
    def aside(self) -> bool:
        """Whether it cannot be chosen and was not: nobody has to look at it."""
        return self.problem is not None and not self.problems and not self.field.value()

    @property
    def disk_free(self) -> int | None:
        """Bytes that are free where Kubernetes keeps its data; None when not known."""
        disk = self.facts.disk("/var/lib/kubelet") if self.facts else None
        return disk.free if disk else None


class PlacementForm(OperationForm):
    """A role for each host, lenient on purpose: what may not be is decided elsewhere.

    The checks that the API needs too live in one place, and their problems
    come back to the fields with show(). hosts: the rows of the table; roles:
    the choices of each.
    """

    def __init__(
        self,
        *args: Any,
        hosts: Iterable[Host],
        roles: Iterable[tuple[str, Any]] = ROLES,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._hosts = list(hosts)
        self._unsuitable = unsuitable(self._hosts)
        for host in self._hosts:
            self.fields[_role(host)] = forms.ChoiceField(
                label=_("Role of %(host)s") % {"host": host.name},
                choices=list(roles),
                required=False,
                disabled=host.pk in self._unsuitable and not self.is_bound,
            )
        self.host_problems: dict[int, list[Problem]] = {}
        self.placement_problems: list[Problem] = []

    @property
    def has_problems(self) -> bool:
        """Whether anything speaks against what was sent."""
        return bool(super().has_problems or self.host_problems or self.placement_problems)

    def chosen(self, role: ClusterRole) -> tuple[Host, ...]:
        """The hosts that were given a role, in the order of the table."""
        if not self.is_bound:
            return ()
        data = getattr(self, "cleaned_data", {})
        return tuple(host for host in self._hosts if data.get(_role(host)) == role)

    def show(self, problems: Iterable[Problem]) -> None:
        """Put each problem beside its field or its host."""
        for problem in problems:
            known = problem.field in self.fields
            if problem.host and not known:
                self.host_problems.setdefault(problem.host, []).append(problem)
            elif problem.field in PLACEMENT:
                self.placement_problems.append(problem)
            elif known:
                text = f"{problem.what} {problem.mend}"
                if text not in self.errors.get(problem.field, ()):
                    self.add_error(problem.field, text)
            else:
                self.other_problems.append(problem)

    def aside_count(self) -> int:
        """How many hosts cannot be chosen, and were not."""
        return sum(row.aside for row in self.rows())

    def rows(self) -> list[HostRow]:
        """The hosts' table: those that can be chosen first."""
        rows = [
            HostRow(
                host=host,
                facts=facts_of(host),
                field=self[_role(host)],
                problem=self._unsuitable.get(host.pk),
                problems=self.host_problems.get(host.pk, []),
                network=network_of(host),
            )
            for host in self._hosts
        ]
        return sorted(rows, key=lambda row: (row.problem is not None, row.host.name))


def network_of(host: Host) -> str:
    """The IPv4 network of the host's address, as its interface says; "" when not known."""
    facts = facts_of(host)
    wanted = node_address(host)
    for address in facts.addresses if facts else ():
        if address.address == wanted:
            return str(ipaddress.ip_network(f"{address.address}/{address.prefix}", strict=False))
    return ""


def _role(host: Host) -> str:
    return f"role-{host.pk}"
