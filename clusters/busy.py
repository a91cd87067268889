"""Who can say that something is being done to a cluster. Other apps add themselves in apps.py."""

from __future__ import annotations

from collections.abc import Callable

from clusters.models import Cluster

Check = Callable[[Cluster], bool]
_checks: list[Check] = []


def register(check: Check) -> None:
    """Add somebody who knows; check(cluster) answers whether a task of it waits or runs."""
    if check not in _checks:
        _checks.append(check)


def is_busy(cluster: Cluster) -> bool:
    """Whether anybody is doing something to the cluster at this moment."""
    return any(check(cluster) for check in _checks)
