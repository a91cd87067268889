"""The fleet at a glance: every cluster by how much it needs somebody, and sums over all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from clusters.kube.metrics_api import Use
from clusters.metrics.latest import Totals
from clusters.models import Cluster, ClusterFigures, ClusterStatus
from clusters.views_lists import freshness

# Which status stands first on the overview.
RANK = {
    ClusterStatus.FAILED: 0,
    ClusterStatus.UNREACHABLE: 1,
    ClusterStatus.DEGRADED: 2,
    ClusterStatus.PROVISIONING: 3,
    ClusterStatus.DELETING: 4,
    ClusterStatus.ACTIVE: 5,
}
# Cards are large: so many, and at most so many that are well; the others are one line each.
CARDS = 12
SUMS = (
    "nodes", "nodes_failing", "cpu_allocatable", "cpu_request", "cpu_limit",
    "memory_allocatable", "memory_request", "memory_limit", "pods_allocatable", "pods_active",
    "pods", "pods_failing", "pods_doubtful", "pods_pending", "workloads", "workloads_failing",
)  # fmt: skip

NOTHING = Use(None, None)


@dataclass(frozen=True)
class Card:
    """One cluster: its row, figures (None before the first count), and how fresh they are."""

    cluster: Cluster
    figures: ClusterFigures | None
    fresh: dict[str, Any]
    used: Use | None = None

    @property
    def rank(self) -> tuple[int, int, str]:
        """The order of the overview: worst first, then by name."""
        failing = self.figures.pods_failing + self.figures.nodes_failing if self.figures else 0
        return (RANK[ClusterStatus(self.cluster.status)], -failing, self.cluster.name)

    @property
    def cpu(self) -> dict[str, Any]:
        """What a bar of processors shows."""
        return _room(self.figures, "cpu", self.used and self.used.cpu) if self.figures else {}

    @property
    def memory(self) -> dict[str, Any]:
        """What a bar of memory shows."""
        return _room(self.figures, "memory", self.used and self.used.memory) if self.figures else {}


@dataclass
class Fleet:
    """Cards of the clusters that come first, the rest in short, and sums over all."""

    cards: list[Card] = field(default_factory=list)
    rest: list[Card] = field(default_factory=list)
    total: dict[str, float] = field(default_factory=dict)
    old: int = 0
    # What clusters with metrics use together, and whether that is all clusters.
    used: Use = NOTHING
    partly: bool = False

    @property
    def cpu(self) -> dict[str, Any]:
        """Processors of all clusters."""
        return _shares(self.total, "cpu", self.used.cpu)

    @property
    def memory(self) -> dict[str, Any]:
        """Memory of all clusters."""
        return _shares(self.total, "memory", self.used.memory)

    @property
    def pods(self) -> dict[str, float]:
        """Room for pods of all clusters."""
        return {
            "have": self.total["pods_allocatable"],
            "asked": self.total["pods_active"],
            "percent": _percent(self.total["pods_active"], self.total["pods_allocatable"]),
        }


def fleet(
    clusters: Iterable[Cluster], used: Mapping[int, Totals] | None = None, cards: int = CARDS
) -> Fleet:
    """From clusters that were read with select_related("figures"); no query of its own.

    used: what clusters use, by key (clusters.metrics.latest.totals).
    """
    now = {pk: total.use for pk, total in (used or {}).items() if total.fresh}
    every = sorted(
        (
            Card(cluster, figures_of(cluster), freshness(cluster), now.get(cluster.pk))
            for cluster in clusters
        ),
        key=lambda card: card.rank,
    )
    total = {key: sum(getattr(card.figures, key) for card in every if card.figures) for key in SUMS}
    old = sum(1 for card in every if card.fresh["old"])
    known = [card.used for card in every if card.used is not None]
    use = Use(_sum(use.cpu for use in known), _sum(use.memory for use in known))
    return Fleet(every[:cards], every[cards:], total, old, use, len(known) < len(every))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def figures_of(cluster: Cluster) -> ClusterFigures | None:
    """The cluster's figures; None before they were first computed."""
    try:
        figures: ClusterFigures = cluster.figures
    except ObjectDoesNotExist:
        return None
    return figures


def _room(figures: ClusterFigures, what: str, used: float | None) -> dict[str, Any]:
    return _shares({key: getattr(figures, key) for key in SUMS}, what, used)


def _shares(values: dict[str, float], what: str, used: float | None) -> dict[str, Any]:
    have, asked = values[f"{what}_allocatable"], values[f"{what}_request"]
    limit = values[f"{what}_limit"]
    return {
        "have": have,
        "asked": asked,
        "limit": limit,
        "percent": _percent(asked, have),
        "used": used,
        "used_percent": None if used is None else _percent(used, have),
    }


def _percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0
