"""How often and how long the watcher asks; tests make everything short."""

from __future__ import annotations

from dataclasses import dataclass

from clusters.inventory.lease import LEASE_SECONDS
from clusters.kube.members import LOOK_SECONDS, STANDARD_PORTS, Ports


@dataclass(frozen=True)
class Timing:
    """Seconds between pulses, of a lease, and of pauses after faults; tests make them short."""

    pulse: float = 10.0
    answer: float = 5.0
    lease: int = LEASE_SECONDS
    watch: int = 240
    first_pause: float = 1.0
    longest_pause: float = 30.0
    # Pulses that must fail in a row before the cluster counts as unreachable.
    misses: int = 2
    # Pulses between two looks at the server's version.
    version_every: int = 60
    # One look at the control plane; the pause after it while something is going on, and while all
    # is well. Looks in a row that must find a problem before the cluster counts as degraded.
    look: float = LOOK_SECONDS
    look_soon: float = 2.0
    look_calm: float = 10.0
    lasting: int = 2
    ports: Ports = STANDARD_PORTS
