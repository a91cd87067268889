"""Frames as bytes: nothing is lost, nothing is made up, foreign bytes are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.metrics.packing import (
    Point,
    Stat,
    merged,
    pack_samples,
    pack_windows,
    unpack,
)

figure = st.one_of(st.none(), st.floats(0, 2.0**50, width=32))
samples = st.dictionaries(st.integers(0, 2**32 - 1), st.tuples(figure, figure), max_size=60)


@given(samples)
def test_samples_come_back(uses: dict) -> None:
    found = unpack(pack_samples(uses))
    back = {
        series: (p.cpu.mean if p.cpu else None, p.memory.mean if p.memory else None)
        for series, p in found.items()
    }
    assert back == uses
    assert len(pack_samples(uses)) == 1 + 12 * len(uses)


@given(samples, st.data())
def test_only_the_wanted_ones_are_read(uses: dict, data) -> None:
    wanted = set(data.draw(st.lists(st.sampled_from(sorted(uses) or [0]), max_size=5)))
    assert set(unpack(pack_samples(uses), wanted)) == wanted & set(uses)


@given(st.lists(figure, min_size=1, max_size=40), st.integers(1, 39))
def test_rolling_up_in_two_turns_is_rolling_up_in_one(values: list, cut: int) -> None:
    points = [Point(Stat(v, v) if v is not None else None, None) for v in values]
    halves = [merged(part) for part in (points[:cut], points[cut:]) if part]
    once, twice = merged(points).cpu, merged(halves).cpu
    known = [v for v in values if v is not None]
    if not known:
        assert once is None and twice is None
        return
    assert once is not None and twice is not None
    assert once.samples == twice.samples == len(known)
    assert once.highest == twice.highest == max(known)
    assert once.mean * once.samples == pytest.approx(sum(known))
    assert twice.mean == pytest.approx(once.mean)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.lists(figure, min_size=1, max_size=12)))
def test_windows_keep_sum_and_highest_and_know_what_is_missing(series: dict) -> None:
    points = {
        number: merged([Point(None, Stat(v, v) if v is not None else None) for v in values])
        for number, values in series.items()
    }
    found = unpack(pack_windows(points))
    assert set(found) == set(series)
    for number, values in series.items():
        known = [v for v in values if v is not None]
        stat = found[number].memory
        assert found[number].cpu is None
        if not known:
            assert stat is None
            continue
        assert stat.samples == len(known)
        assert stat.mean * stat.samples == pytest.approx(sum(known), rel=1e-6)
        assert stat.highest == max(known)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return
    assert data[0] in (1, 2)
