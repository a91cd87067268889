"""How often and how long metrics are asked for, and how long they are kept."""

from __future__ import annotations

from dataclasses import dataclass

from clusters.models_metrics import Tier

MINUTES, HOURS = 300, 3600  # seconds of one window
DAY = 24 * HOURS

# What each tier's rows are apart, in seconds.
STEP = {Tier.RAW: 30, Tier.MINUTES: MINUTES, Tier.HOURS: HOURS}
# Kept for at least so long; (pods, everything else). Pods are many and short-lived.
KEPT_PODS = {Tier.RAW: HOURS, Tier.MINUTES: 6 * HOURS, Tier.HOURS: 0}
KEPT = {Tier.RAW: HOURS, Tier.MINUTES: DAY, Tier.HOURS: 14 * DAY}
# Older figures are not called the latest.
FRESH_SECONDS = 150


@dataclass(frozen=True)
class MetricsTiming:
    """Seconds; tests make them short.

    period: between two rounds, jitter: more or less of it by chance, so that 150
    clusters are not asked at once. answer: for one kubelet. round: for all of
    a cluster's nodes. parallel: nodes of one cluster at a time. longest_pause:
    between two tries of a node that does not answer. server_every: rounds between
    two looks whether the cluster serves metrics.k8s.io now.
    """

    period: float = float(STEP[Tier.RAW])
    jitter: float = 2.0
    answer: float = 5.0
    round: float = 20.0
    parallel: int = 4
    longest_pause: float = 300.0
    server_every: int = 20
