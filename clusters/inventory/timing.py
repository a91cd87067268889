"""How often and how long the watcher asks; tests make everything short."""

from __future__ import annotations

from dataclasses import dataclass, field

from clusters.inventory.lease import LEASE_SECONDS
from clusters.kube.members import LOOK_SECONDS, STANDARD_PORTS, Ports
from clusters.metrics.timing import MetricsTiming


@dataclass(frozen=True)
class Timing:
    """Seconds between pulses, of a lease, and of pauses after faults; tests make them short."""

    pulse: float = 10.0
    answer: float = 5.0
    lease: int = LEASE_SECONDS
    watch: int = 240
    # How long the writer gathers before it writes.
    gather: float = 0.1
    # One page of a list; between two tries of a kind that is not served or not allowed; and
    # between two lists although the watches go on well: a server may have lost an event.
    page: float = 30.0
    rarely: float = 300.0
    relist: float = 3 * 3600.0
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
    # Rounds of metrics; and of figures, roles and resource pools.
    metrics: MetricsTiming = field(default_factory=MetricsTiming)
    upkeep: float = 5.0
