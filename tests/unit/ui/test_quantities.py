"""Quantities read as people write them, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from console.ui.quantities import ago_text, bytes_text, cpus_text, duration_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (2 * 1024**3, "2 GiB"),
        (15.6 * 1024**3, "15.6 GiB"),
        (250 * 1024**2, "250 MiB"),
        (3 * 1024**6, "3072 PiB"),
    ],
)
def test_bytes(count: float, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(("count", "text"), [(4, "4 CPU"), (1.5, "1.5 CPU"), (0.25, "0.25 CPU")])
def test_cpus(count: float, text: str) -> None:
    assert cpus_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3700, "1 h 01 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (3, "just now", "刚刚"),
        (60, "1 minute ago", "1 分钟前"),
        (7_300, "2 hours ago", "2 小时前"),
        (-90_000, "in 1 day", "1 天后"),
    ],
)
def test_relative_times(seconds: float, english: str, chinese: str) -> None:
    assert ago_text(seconds) == english
    with translation.override("zh-hans"):
        assert ago_text(seconds) == chinese
