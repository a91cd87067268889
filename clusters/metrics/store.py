"""Writes rounds into rows, under the watcher's lease, and knows the series of one cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import count

from clusters.inventory.lease import Lease
from clusters.kube.metrics_api import Use
from clusters.metrics import rollup
from clusters.metrics.collector import Key, Round
from clusters.metrics.packing import pack_samples
from clusters.metrics.timing import HOURS
from clusters.metrics.workloads import workloads_of
from clusters.models import Cluster
from clusters.models_metrics import MetricFrame, MetricSeries, MetricState, Of, Tier

PART_SIZE = 256
# Names that a cluster may have at a time; a kubelet that invents more is not written down.
MOST_SERIES = 50_000
MOST_PROBLEMS = 50
_CHUNK = 400


class Store:
    """The series of one cluster. Anything that goes wrong: call forget()."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ids: dict[Key, tuple[int, int]] | None = None  # (series, part)
        self._used: Counter[int] = Counter()
        self._recent: set[int] = set()
        self._touched = 0

    def forget(self) -> None:
        """Read the series again next time."""
        self._ids = None
        self._used.clear()

    def write(self, found: Round, now: int) -> None:
        """Keep one round of this second, make coarser rows, remove old ones. Raises LeaseLost."""
        with self._lease.holding() as cluster:
            state, _made = MetricState.objects.get_or_create(cluster=cluster)
            rollup.forget_the_future(cluster.pk, state, now)
            state.asked = now
            state.problems = [problem.as_json() for problem in found.problems[:MOST_PROBLEMS]]
            if found.uses and now > state.time:
                self._frames(cluster, found.uses, now)
                total = found.uses.get((Of.CLUSTER, "", ""), Use(None, None))
                state.source, state.time = found.source, now
                state.cpu, state.memory = total.cpu, total.memory
            if rollup.roll(cluster.pk, state, now):
                self._keep_names(cluster, now)
                rollup.purge(cluster.pk, now)
                self.forget()
            state.save()

    def _frames(self, cluster: Cluster, uses: Mapping[Key, Use], now: int) -> None:
        ids = self._series(cluster, uses, now)
        parts: dict[int, dict[int, Use]] = {}
        for key, use in uses.items():
            if key in ids:
                series, part = ids[key]
                parts.setdefault(part, {})[series] = use
                self._recent.add(series)
        MetricFrame.objects.bulk_create(
            MetricFrame(
                cluster=cluster, tier=Tier.RAW, part=part, time=now, data=pack_samples(figures)
            )
            for part, figures in parts.items()
        )
        if now - self._touched >= HOURS:
            self._touch(now)

    def _series(
        self, cluster: Cluster, keys: Iterable[Key], now: int
    ) -> dict[Key, tuple[int, int]]:
        if self._ids is None:
            self._load(cluster)
        assert self._ids is not None
        fresh = [key for key in keys if key not in self._ids]
        fresh = fresh[: max(MOST_SERIES - len(self._ids), 0)]
        if fresh:
            owners = workloads_of(cluster.pk, [key for key in fresh if key[0] == Of.POD])
            made = MetricSeries.objects.bulk_create(
                [self._row(cluster, key, owners.get(key, ("", "")), now) for key in fresh],
                batch_size=200,
            )
            for key, row in zip(fresh, made, strict=True):
                self._ids[key] = (row.pk, row.part)
        return self._ids

    def _row(self, cluster: Cluster, key: Key, workload: tuple[str, str], now: int) -> MetricSeries:
        return MetricSeries(
            cluster=cluster, of=key[0], namespace=key[1], name=key[2], part=self._place(key),
            seen=now, workload_kind=workload[0], workload_name=workload[1],
        )  # fmt: skip

    def _load(self, cluster: Cluster) -> None:
        self._ids = {}
        self._used.clear()
        rows = MetricSeries.objects.filter(cluster=cluster)
        for row in rows.values_list("of", "namespace", "name", "pk", "part").iterator():
            self._ids[row[0], row[1], row[2]] = (row[3], row[4])
            self._used[row[4]] += 1

    def _place(self, key: Key) -> int:
        """The part of a new series: 0 for what is kept long, else the first with room."""
        part = 0
        if key[0] == Of.POD:
            part = next(number for number in count(1) if self._used[number] < PART_SIZE)
        self._used[part] += 1
        return part

    def _touch(self, now: int) -> None:
        """Note that the series of the last hour still have figures."""
        recent = sorted(self._recent)
        for start in range(0, len(recent), _CHUNK):
            MetricSeries.objects.filter(pk__in=recent[start : start + _CHUNK]).update(seen=now)
        self._recent.clear()
        self._touched = now

    def _keep_names(self, cluster: Cluster, now: int) -> None:
        """The workloads of pods that were measured before the inventory knew them."""
        rows = MetricSeries.objects.filter(cluster=cluster, of=Of.POD, workload_kind="")
        unknown = list(rows.filter(seen__gte=now - 2 * HOURS)[:2000])
        owners = workloads_of(cluster.pk, [(Of.POD, r.namespace, r.name) for r in unknown])
        named = []
        for row in unknown:
            owner = owners.get((Of.POD, row.namespace, row.name))
            if owner:
                row.workload_kind, row.workload_name = owner
                named.append(row)
        MetricSeries.objects.bulk_update(
            named, ("workload_kind", "workload_name"), batch_size=_CHUNK
        )
