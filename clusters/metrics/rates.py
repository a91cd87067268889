"""From counters that a kubelet tells to what its node and pods use right now."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

from clusters.kube.metrics_api import Counter, NodeCounters, PodKey, Use

# Two answers further apart than this say nothing of now.
LONGEST_SECONDS = 150.0
# More cores than any machine has: a counter that jumps further was not counting.
MOST_CORES = 8192.0


@dataclass(frozen=True)
class NodeUse:
    """One node and its pods. whole: whether CPU is known, which takes two answers."""

    use: Use
    pods: dict[PodKey, Use]

    @property
    def whole(self) -> bool:
        """Whether this answer followed on another one."""
        return self.use.cpu is not None


class Rates:
    """The counters of one kubelet's last answer."""

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[Counter, float]] = {}

    def take(self, answer: NodeCounters, now: float) -> NodeUse:
        """What is used, by this answer and the one before it; now: seconds of a monotonic clock."""
        kept: dict[Hashable, tuple[Counter, float]] = {}

        def rate_of(key: Hashable, counter: Counter | None) -> float | None:
            if counter is None:
                return None
            before = self._before.get(key)
            kept[key] = (counter, now)
            return rate(*before, counter, now) if before else None

        node = Use(rate_of("node", answer.cpu), answer.memory)
        pods: dict[PodKey, Use] = {}
        for key, pod in answer.pods.items():
            # The pod's own figure holds more than those of its containers.
            names = [""] if "" in pod.cpu else list(pod.cpu)
            rates = [rate_of((key, name), pod.cpu[name]) for name in names]
            known = [r for r in rates if r is not None]
            pods[key] = Use(math.fsum(known) if known else None, pod.working_set)
        self._before = kept
        return NodeUse(node, pods)


def rate(before: Counter, then: float, counter: Counter, now: float) -> float | None:
    """Cores used between two counters; None when they do not say.

    then, now: when each was fetched. Where the kubelet tells when it counted,
    its own clock is used: it counts every 10 to 15 seconds, whenever it is asked. A
    counter that fell began anew (the container was started again), so that
    what it shows is what was used since.
    """
    if before.at is not None and counter.at is not None:
        seconds = counter.at - before.at
    else:
        seconds = now - then
    if not 0 < seconds <= LONGEST_SECONDS or now - then > LONGEST_SECONDS:
        return None
    fell = counter.seconds < before.seconds
    cores = (counter.seconds if fell else counter.seconds - before.seconds) / seconds
    return cores if cores <= MOST_CORES else None
