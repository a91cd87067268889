"""Diffs of texts: as difflib makes them, and within bounds whatever the texts are."""

from __future__ import annotations

import difflib
import random

import pytest

from clusters import line_diff as module
from clusters.line_diff import line_diff


def plain(left: list[str], right: list[str]) -> list[str]:
    return list(difflib.unified_diff(left, right, lineterm="", n=4))[2:]


def test_one_change_in_very_many_lines_is_shown_at_its_place():
    left = [f"line {n}" for n in range(50_000)]
    right = [*left[:30_000], "new", "@@ -1,2 +3,4 @@", *left[30_002:]]
    assert line_diff(left, right) == plain(left, right)
    assert line_diff(left, left) == []
    assert line_diff(left, left[:-1]) == plain(left, left[:-1])
    assert line_diff([], left[:9]) == plain([], left[:9])


def test_lines_that_come_often_are_not_compared_for_minutes(monkeypatch):
    """An operator's ConfigMap of 1 MiB, changed, held every thread of the console."""
    chance = random.Random(1)
    words = [f"l{n}" for n in range(105)]
    left, right = ([chance.choice(words) for _ in range(100_000)] for _side in range(2))
    compared = []

    def unified_diff(old, new, **_options):
        compared.append(max(len(old), len(new)))
        return []

    monkeypatch.setattr(difflib, "unified_diff", unified_diff)
    found = line_diff(left, right)
    assert max(compared, default=0) <= module.MOST_LINES
    assert found[0].startswith("@@ -1,")
    assert len(found) < 2_100 and "more lines" in found[-1]


@pytest.mark.parametrize("at", [0, 3, 4998, 4999])
def test_a_change_at_an_end_keeps_its_context(at):
    left = [f"line {n}" for n in range(5_000)]
    right = [*left]
    right[at] = "new"
    assert line_diff(left, right) == plain(left, right)
