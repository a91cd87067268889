"""Counters that rise, begin anew, stand still and jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.metrics_api import Counter, parse_resource_metrics
from clusters.metrics.rates import LONGEST_SECONDS, Rates, rate
from tests.unit.metrics.kubelets import resource_text


def take(rates: Rates, seconds: float, at: float, pods=None):
    text = resource_text(seconds, at, 7, pods)
    return rates.take(parse_resource_metrics(text.splitlines()), at)


def test_two_answers_make_a_rate_and_one_makes_none() -> None:
    rates = Rates()
    first = take(rates, 100.0, 1000.0, {("a", "p"): {"c": (5.0, 10)}})
    assert (first.use.cpu, first.use.memory, first.whole) == (None, 7, False)
    assert first.pods["a", "p"] == (None, 10)
    second = take(rates, 115.0, 1030.0, {("a", "p"): {"c": (8.0, 11)}})
    assert second.use.cpu == pytest.approx(0.5)
    assert second.pods["a", "p"].cpu == pytest.approx(0.1)
    assert second.whole


def test_a_container_that_was_started_again_counts_what_it_used_since() -> None:
    rates = Rates()
    take(rates, 1.0, 1000.0, {("a", "p"): {"c": (500.0, 10), "d": (1.0, 1)}})
    found = take(rates, 2.0, 1030.0, {("a", "p"): {"c": (3.0, 10), "d": (4.0, 1)}})
    assert found.pods["a", "p"].cpu == pytest.approx(3 / 30 + 3 / 30)


def test_a_pod_that_is_new_has_no_rate_yet() -> None:
    rates = Rates()
    take(rates, 1.0, 1000.0)
    found = take(rates, 2.0, 1030.0, {("a", "p"): {"c": (500.0, 10)}})
    assert found.pods["a", "p"] == (None, 10)


def test_the_kubelets_own_clock_is_used_where_it_tells_it() -> None:
    # Fetched 30 s apart, counted 20 s apart.
    assert rate(Counter(0, 100.0), 0.0, Counter(10, 120.0), 30.0) == pytest.approx(0.5)
    assert rate(Counter(0, None), 0.0, Counter(15, None), 30.0) == pytest.approx(0.5)


def test_no_rate_where_time_stood_still_went_back_or_leapt() -> None:
    for at, now in ((100.0, 30.0), (90.0, 30.0), (100 + LONGEST_SECONDS + 1, 30.0), (130.0, 900.0)):
        assert rate(Counter(0, 100.0), 0.0, Counter(10, at), now) is None


def test_a_counter_that_leaps_is_not_believed() -> None:
    assert rate(Counter(0, 100.0), 0.0, Counter(1e12, 130.0), 30.0) is None


@given(
    st.floats(0, 1e15), st.floats(0, 1e15), st.floats(-1e12, 1e12), st.floats(-1e12, 1e12),
    st.floats(0, 1e6),
)  # fmt: skip
def test_a_rate_is_never_negative_nor_beyond_any_machine(a, b, t1, t2, dt) -> None:
    found = rate(Counter(a, t1), 0.0, Counter(b, t2), dt)
    assert found is None or 0 <= found <= 8192
