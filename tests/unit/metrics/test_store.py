"""What is kept, for how long, and how coarse; the clock is moved by hand."""

from __future__ import annotations

import itertools

import pytest
from django.db.models import Max, Min
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.inventory.lease import LeaseLost
from clusters.kube.metrics_api import Use
from clusters.metrics.history import Subject, history
from clusters.metrics.latest import latest, latest_of, totals
from clusters.metrics.packing import unpack
from clusters.metrics.store import PART_SIZE
from clusters.models import Cluster, MetricFrame, MetricSeries, MetricState, Object
from clusters.models_metrics import Of, Tier
from tests.factories import ClusterFactory
from tests.unit.metrics.conftest import START

WHOLE = (Of.CLUSTER, "", "")
NODE = (Of.NODE, "", "n1")
POD = (Of.POD, "shop", "web-1")


def times(cluster: Cluster, tier: Tier) -> list[int]:
    rows = MetricFrame.objects.filter(cluster=cluster, tier=tier, part=0)
    return sorted(rows.values_list("time", flat=True))


def test_a_round_is_there_at_once(cluster, write) -> None:
    write({WHOLE: (2.0, 4e9), NODE: (2.0, 4e9), POD: (0.25, 1e8)})
    assert latest(cluster) == {NODE: Use(2.0, 4e9), POD: Use(0.25, 1e8)}
    found = totals()[cluster.pk]
    assert (found.use, found.fresh, found.source) == (Use(2.0, 4e9), True, "kubelet")


def test_old_figures_are_not_called_the_latest(cluster, write, clock) -> None:
    write({WHOLE: (2.0, 4e9), POD: (0.25, 1e8)})
    clock.at += 200
    assert latest(cluster) == {}
    assert not totals()[cluster.pk].fresh


def test_a_page_of_many_rows_costs_three_queries(cluster, write, django_assert_num_queries) -> None:
    pods = {(Of.POD, "shop", f"web-{n}"): (n / 1000, 1e6 + n) for n in range(700)}
    write({WHOLE: (1.0, 1.0), **pods})
    other = ClusterFactory()
    rows = [
        Object.objects.create(
            cluster=c, resource="pods", api_version="v1", kind="Pod", namespace="shop",
            name=f"web-{n}",
        )
        for n in range(0, 700, 10) for c in (cluster, other)
    ]  # fmt: skip
    with django_assert_num_queries(3):
        found = latest_of(rows)
    assert len(found) == 70, "the other cluster has no figures"
    assert found[rows[20].pk].memory == pytest.approx(1e6 + 100)
    with django_assert_num_queries(3):
        assert len(latest(cluster, [Of.POD])) == 700
    assert MetricSeries.objects.filter(part=1).count() == PART_SIZE


def test_every_tier_ends_when_it_should_and_every_window_has_its_mean(cluster, write) -> None:
    # A sample every half hour over 15 days, cores by the hour of the day.
    for minute in range(0, 15 * 24 * 60, 30):
        at = START + minute * 60
        write({WHOLE: (float(minute // 60 % 24), 1e9), POD: (1.0, 1.0)}, at)
    now = at
    assert min(times(cluster, Tier.RAW)) >= now - 3600 - 1800
    minutes, hours = times(cluster, Tier.MINUTES), times(cluster, Tier.HOURS)
    assert now - 86400 - 1800 <= min(minutes) <= now - 86400
    assert now - 14 * 86400 - 7200 <= min(hours) <= now - 14 * 86400
    assert all(b - a == 3600 for a, b in itertools.pairwise(hours))
    pods = MetricFrame.objects.filter(cluster=cluster, part__gt=0)
    assert not pods.filter(tier=Tier.HOURS).exists()
    span = pods.filter(tier=Tier.MINUTES).aggregate(a=Min("time"), b=Max("time"))
    assert 6 * 3600 <= now - span["a"] <= 6 * 3600 + 1800
    series = MetricSeries.objects.get(of=Of.CLUSTER)
    for frame in MetricFrame.objects.filter(tier=Tier.HOURS):
        stat = unpack(frame.data)[series.pk].cpu
        assert (stat.mean, stat.samples) == ((frame.time - START) // 3600 % 24, 2)


def test_figures_of_a_pod_that_is_gone_go_and_a_nodes_stay(cluster, write) -> None:
    write({NODE: (1.0, 1.0), POD: (1.0, 1.0)})
    for hour in range(10):
        write({NODE: (1.0, 1.0)}, START + hour * 3600)
    assert [s.of for s in MetricSeries.objects.all()] == [Of.NODE]
    assert not MetricFrame.objects.filter(part__gt=0).exists()
    # A pod of the same name later begins anew.
    write({POD: (2.0, 2.0)}, START + 10 * 3600 + 60)
    assert latest(cluster, [Of.POD]) == {POD: Use(2.0, 2.0)}


def test_series_that_go_on_keep_their_names(cluster, write) -> None:
    for hour in range(40):
        write({NODE: (1.0, 1.0), POD: (1.0, 1.0)}, START + hour * 3600 + 60)
    assert MetricSeries.objects.count() == 2
    assert set(latest(cluster)) == {NODE, POD}


def test_rounds_without_an_answer_leave_a_gap_and_age_goes_on(cluster, write) -> None:
    for second in range(0, 3600, 30):
        answered = not 600 <= second < 1500
        write({NODE: (1.0, 1.0)} if answered else {}, START + second)
    found = history(cluster, Subject(Of.NODE, "", "n1"), "1h")
    gaps = [t for t, v in zip(found.times, found.cpu, strict=True) if v is None]
    assert len(gaps) == 1 and START + 570 < gaps[0] < START + 1500
    assert len(found.times) == 91  # 90 samples and the gap
    coarse = history(cluster, Subject(Of.NODE, "", "n1"), "24h")
    windows = {t for t, v in zip(coarse.times, coarse.cpu, strict=True) if v is not None}
    assert windows == {START, START + 300, *(START + w for w in range(1500, 3300, 300))}
    assert None in coarse.cpu


def test_one_late_sample_is_no_gap(cluster, write) -> None:
    for second in (0, 30, 92, 120):
        write({NODE: (1.0, 1.0)}, START + second)
    assert None not in history(cluster, Subject(Of.NODE, "", "n1"), "1h").cpu


def test_a_watcher_that_comes_late_makes_the_windows_that_are_missing(cluster, write) -> None:
    for second in range(0, 600, 30):
        write({NODE: (1.0, 2.0)}, START + second)
    MetricFrame.objects.filter(tier=Tier.MINUTES).delete()
    MetricState.objects.update(rolled_minutes=0)
    write({}, START + 4000)
    assert times(cluster, Tier.MINUTES) == [START, START + 300]


def test_a_clock_that_was_ahead_does_not_stop_the_figures(cluster, write) -> None:
    write({NODE: (1.0, 1.0)}, START + 86400)
    write({NODE: (2.0, 2.0)}, START)
    assert latest(cluster, [Of.NODE]) == {NODE: Use(2.0, 2.0)}
    write({NODE: (3.0, 3.0)}, START + 330)
    assert times(cluster, Tier.MINUTES) == [START]


def test_a_watcher_that_lost_its_lease_writes_nothing(cluster, write) -> None:
    Cluster.objects.update(watcher="another")
    with pytest.raises(LeaseLost):
        write({NODE: (1.0, 1.0)})
    assert not MetricFrame.objects.exists() and not MetricSeries.objects.exists()


def test_a_clusters_figures_go_with_it(cluster, write) -> None:
    write({NODE: (1.0, 1.0)})
    cluster.delete()
    assert not MetricFrame.objects.exists() and not MetricSeries.objects.exists()


value = st.one_of(st.none(), st.floats(0, 2.0**20, width=32))
SETTINGS = settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@SETTINGS
@given(st.lists(st.one_of(st.none(), st.tuples(value, value)), min_size=1, max_size=40))
def test_what_is_rolled_up_is_what_was_sampled(cluster, write, rounds) -> None:
    """Sums are conserved, and exactly the windows with samples have rows."""
    MetricFrame.objects.all().delete()
    MetricSeries.objects.all().delete()
    MetricState.objects.all().delete()
    cluster.refresh_from_db()
    from clusters.inventory.lease import Lease
    from clusters.metrics.collector import Round
    from clusters.metrics.store import Store

    store = Store(Lease(cluster.pk, "me"))
    for number, use in enumerate(rounds):
        uses = {} if use is None else {NODE: Use(*use)}
        store.write(Round("kubelet", uses), START + number * 30)
    store.write(Round("", {}), START + 1800)
    for which in ("cpu", "memory"):
        wanted: dict[int, list[float]] = {}
        for number, use in enumerate(rounds):
            sample = None if use is None else use[which == "memory"]
            if sample is not None:
                wanted.setdefault(START + number * 30 // 300 * 300, []).append(sample)
        found = {}
        for frame in MetricFrame.objects.filter(tier=Tier.MINUTES):
            for point in unpack(frame.data).values():
                stat = getattr(point, which)
                if stat is not None:
                    found[frame.time] = stat
        assert set(found) == set(wanted)
        for time, samples in wanted.items():
            assert found[time].samples == len(samples)
            assert found[time].mean * len(samples) == pytest.approx(sum(samples), rel=1e-6)
            assert found[time].highest == max(samples)
