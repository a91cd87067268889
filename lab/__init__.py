"""Real Linux hosts on this one machine, to try the console on and to test against.

A lab is a bridge with a handful of Debian hosts on it, each booted by systemd-nspawn over an
overlay of one base tree, with an address, an sshd and a machine-id of its own::

    from lab import Lab

    lab = Lab("demo", subnet="10.77.0.0/24", hosts=6)
    lab.up(print)
    lab.host("node1").power_cut()
    lab.host("node1").boot()
    lab.down(print)

The package needs nothing but the standard library and root; only the Django command in
`lab.management` and `lab.apps` know Django.
"""

from lab.errors import LabError
from lab.lab import Lab
from lab.machine import Host, HostStatus

__all__ = ["Host", "HostStatus", "Lab", "LabError"]
