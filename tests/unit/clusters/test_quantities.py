"""Quantities in every spelling of Kubernetes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.quantities import exact, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2), ("0", 0), ("+3", 3), ("-1", -1), (".5", 0.5), ("1.", 1), ("1.25", 1.25),
        ("100n", 1e-7), ("250u", 0.00025), ("100m", 0.1), ("1500m", 1.5),
        ("1k", 1e3), ("2M", 2e6), ("3G", 3e9), ("4T", 4e12), ("5P", 5e15), ("6E", 6e18),
        ("1Ki", 1024), ("2048Mi", 2**31), ("1.5Gi", 1.5 * 2**30), ("1Ti", 2**40),
        ("1Pi", 2**50), ("1Ei", 2**60), ("1e3", 1000), ("12E2", 1200), ("3e-1", 0.3), ("1e+2", 100),
        (4, 4), (0.5, 0.5),
    ],
)  # fmt: skip
def test_every_spelling(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "Gi", "1K", "1ki", "1GiB", "1e", "0x10", "1_000", "١", "NaN", "inf", "1e999",
     None, True, [], {}, 1e300],
)  # fmt: skip
def test_what_is_none(text):
    assert quantity(text) is None


@given(st.text() | st.integers() | st.floats() | st.none())
def test_nothing_makes_it_raise(value):
    found = quantity(value)
    assert found is None or isinstance(found, float)


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.none()
    | st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,3})?([kMGTmu]|[KMG]i|e[0-9])?", fullmatch=True)
)
def test_exact_is_the_same_number_without_rounding(value):
    rounded, found = quantity(value), exact(value)
    assert (rounded is None) == (found is None)
    assert found is None or float(found) == pytest.approx(rounded)


def test_exact_keeps_what_a_float_loses():
    assert exact("0.1") == Fraction(1, 10)
    assert exact(str(2**53 + 1)) == 2**53 + 1
    assert exact(10**5000) is None
