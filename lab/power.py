"""The power of the lab's hosts, for drills of the console."""

from __future__ import annotations

from lab.errors import LabError
from lab.lab import Lab, lab_names
from lab.machine import Host as Machine
from provisioning.models import Host
from provisioning.power import SWITCHES


class LabPower:
    """Cuts by killing the host's first process: no unit is stopped, no buffer written."""

    queue = "lab"

    def serves(self, host: Host) -> bool:
        """Local hosts say so on their row."""
        return host.is_lab

    def off(self, host: Host) -> None:
        """Cut the power. Raises OSError when there is no such machine or no right to."""
        try:
            _machine(host).power_cut()
        except LabError as error:
            raise OSError(str(error)) from error

    def on(self, host: Host) -> None:
        """Boot it, unless it runs."""
        try:
            machine = _machine(host)
            if machine.pid is None:
                machine.boot()
        except LabError as error:
            raise OSError(str(error)) from error


def _machine(host: Host) -> Machine:
    for name in lab_names():
        for machine in Lab(name).hosts:
            if machine.address == host.address:
                return machine
    raise LabError(
        f"The power of {host.name}", f"no lab has {host.address}", "see `manage.py lab status`"
    )


SWITCHES.append(LabPower())
