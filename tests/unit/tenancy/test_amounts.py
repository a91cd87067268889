"""Amounts of quotas: every spelling, exact, and nothing else."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.amounts import (
    MOST,
    RESOURCES,
    AmountsError,
    human,
    limits_problems,
    parse,
    read,
    spelled,
    text,
)

CPU, MEMORY, PODS = "requests.cpu", "requests.memory", "pods"
KEYS = st.sampled_from(sorted(RESOURCES))
SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "e3": Decimal(10**3), "E-3": Decimal("1e-3"), "e+2": Decimal(100),
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "said", "amount"),
    [
        (CPU, "2", 2000), (CPU, "1.5", 1500), (CPU, "250m", 250), (CPU, ".1", 100),
        (CPU, "1e3", 1_000_000), (CPU, "1k", 1_000_000), (CPU, "100u", 1), (CPU, "1n", 1),
        (CPU, "1500001n", 2), (CPU, "0.0001", 1), (CPU, "0", 0), (CPU, "-0", 0), (CPU, "+3", 3000),
        (CPU, 2, 2000), (CPU, 0.1, 100), (CPU, " 2 ", 2000), (CPU, "1Ki", 1_024_000),
        (MEMORY, "2Gi", 2 * 2**30), (MEMORY, "1.5Gi", 3 * 2**29), (MEMORY, "1G", 10**9),
        (MEMORY, "12E2", 1200), (MEMORY, "1E", 10**18), (MEMORY, "100m", 1), (MEMORY, "1.2", 2),
        (MEMORY, "0.3Ki", 308), (MEMORY, "7Ei", 7 * 2**60), (MEMORY, str(2**53 + 1), 2**53 + 1),
        (PODS, "20", 20), (PODS, 20, 20), (PODS, "1k", 1000), (PODS, "2000m", 2), (PODS, "1e1", 10),
    ],
)  # fmt: skip
def test_every_spelling(key, said, amount):
    assert parse(key, said) == amount


@pytest.mark.parametrize("key", [CPU, MEMORY, PODS])
@pytest.mark.parametrize(
    "said",
    ["", " ", "two", "2 Gi", "1K", "1ki", "1GiB", "1gb", "2 CPU", "1,5", "1_000", "0x10", "1e", "m",
     ".", "--1", "1.2.3", "NaN", "nan", "inf", "-inf", "1e999", "١", "½", "-1", "-1m", "-0.5Gi",
     "8Ei", "9e18k", None, True, [], {}, -3, float("nan"), float("inf"), "9" * 31, "1\x00",
     pytest.param(10**5000, id="5001 digits")],
)  # fmt: skip
def test_nonsense_is_refused_with_a_sentence(key, said):
    with pytest.raises(ValueError, match=r"\.$") as refusal:
        parse(key, said)
    assert len(str(refusal.value)) < 120


@pytest.mark.parametrize("said", ["1.5", "500m", "1n", 0.5])
def test_half_a_pod_is_refused(said):
    with pytest.raises(ValueError, match="whole number"):
        parse(PODS, said)


def test_an_unknown_resource_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"requests\.cpu, limits\.cpu"):
        parse("cpus", "1")


@given(st.decimals(0, 10**12, places=6), st.sampled_from(sorted(SUFFIXES)))
def test_nothing_is_lost_and_what_is_left_over_is_rounded_up(number, suffix):
    with localcontext() as context:
        context.prec = 200
        value = number * SUFFIXES[suffix]
        cpus, size = math.ceil(value * 1000), math.ceil(value)
    said = f"{number:f}{suffix}"
    for key, amount in ((CPU, cpus), (MEMORY, size)):
        if amount <= MOST:
            assert parse(key, said) == amount
        else:
            with pytest.raises(ValueError, match="more than Kubernetes can hold"):
                parse(key, said)


@given(KEYS, st.integers(0, MOST))
def test_what_is_written_reads_the_same(key, amount):
    said = text(key, amount)
    assert parse(key, said) == amount
    assert text(key, parse(key, said)) == said
    assert "." not in said


@given(KEYS, st.text() | st.integers() | st.floats() | st.none() | st.binary() | st.booleans())
def test_nothing_else_is_raised(key, said):
    try:
        assert 0 <= parse(key, said) <= MOST
    except ValueError as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    ("key", "amount", "canonical", "people"),
    [
        (CPU, 1500, "1500m", "1.5 CPU"), (CPU, 2000, "2", "2 CPU"), (CPU, 1, "1m", "0.001 CPU"),
        (CPU, 10**6, "1k", "1000 CPU"), (CPU, 0, "0", "0 CPU"), (CPU, 250, "250m", "0.25 CPU"),
        (MEMORY, 2**31, "2Gi", "2 GiB"), (MEMORY, 3 * 2**29, "1536Mi", "1.5 GiB"),
        (MEMORY, 10**10, "10G", "9.3 GiB"), (MEMORY, 1, "1", "1 B"), (MEMORY, 0, "0", "0 B"),
        (PODS, 3, "3", "3"), (PODS, 1000, "1k", "1000"), (PODS, 1500, "1500", "1500"),
    ],
)  # fmt: skip
def test_how_amounts_are_written(key, amount, canonical, people):
    assert text(key, amount) == canonical
    assert human(key, amount) == people


def test_a_quota_is_read_whole_and_every_fault_is_named():
    assert read({"requests.cpu": "1.5", "pods": 3, "services": "", "limits.cpu": None}) == {
        "requests.cpu": 1500,
        "pods": 3,
    }
    with pytest.raises(AmountsError) as refusal:
        read(
            {"requests.cpu": "much", "pods": "-1", "cpus": "1", "namespaces": "2", "services": "4"}
        )
    assert set(refusal.value.problems) == {"requests.cpu", "pods", "cpus", "namespaces"}
    assert read({"namespaces": "2"}, of_tenant=True) == {"namespaces": 2}
    assert list(spelled({"pods": 3, "requests.cpu": 1500}).items()) == [
        ("requests.cpu", "1500m"),
        ("pods", "3"),
    ]


def test_a_limit_below_the_request_is_refused():
    with pytest.raises(AmountsError) as refusal:
        read({"requests.memory": "2Gi", "limits.memory": "2G"})
    assert set(refusal.value.problems) == {"limits.memory"}
    assert "2 GiB" in refusal.value.problems["limits.memory"]
    assert read({"requests.cpu": "1", "limits.cpu": "1000m"})


def test_the_defaults_of_containers():
    assert limits_problems({}) == {}
    good = {"cpu": {"request": "100m", "limit": "1"}, "memory": {"request": "", "limit": "1Gi"}}
    assert limits_problems(good) == {}
    bad = {"cpu": {"request": "2", "limit": "1500m"}, "memory": {"limit": "lots"}, "disk": {}}
    found = limits_problems(bad)
    assert set(found) == {"cpu.limit", "memory.limit", "disk"}
    assert "1.5 CPU" in found["cpu.limit"] and "2 CPU" in found["cpu.limit"]
