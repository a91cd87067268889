"""A cluster that this test holds the lease of, a clock to be moved, rounds to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from clusters.inventory.lease import Lease
from clusters.kube.metrics_api import Use
from clusters.metrics.collector import KUBELET, Key, Round
from clusters.metrics.store import Store
from clusters.models import Cluster
from tests.factories import ClusterFactory

START = 1_800_000_000  # a whole hour and a whole 5 minutes


class Clock:
    """What django's timezone.now() answers; `at` in seconds since the epoch."""

    def __init__(self) -> None:
        self.at = float(START)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    yield clock


@pytest.fixture
def cluster(db: None, clock: Clock) -> Cluster:
    until = clock.now() + timedelta(days=3650)
    return ClusterFactory(watcher="me", watcher_until=until)


@pytest.fixture
def store(cluster: Cluster) -> Store:
    return Store(Lease(cluster.pk, "me"))


@pytest.fixture
def write(store: Store, clock: Clock) -> Callable[..., None]:
    """write({key: (cpu, memory)}, at=None): one round at this second."""

    def write_one(uses: dict[Key, tuple[float | None, float | None]], at: float | None = None):
        if at is not None:
            clock.at = at
        found = {key: Use(*use) for key, use in uses.items()}
        store.write(Round(KUBELET if found else "", found), int(clock.at))

    return write_one
