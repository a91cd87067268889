"""The bytes of a MetricFrame: the figures of many series at one moment or of one window.

Little-endian: a byte for the layout, then columns of n figures each. SAMPLES: series (u32),
CPU in cores (f32), memory in bytes (f32); NaN where a figure is missing: 12 bytes for each
series. WINDOWS: series (u32), then for CPU and for memory the mean (f32), the highest (f32)
and of how many samples (u16, 0: missing): 24 bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Container, Mapping
from typing import NamedTuple

SAMPLES, WINDOWS = 1, 2
MOST_SAMPLES = 65535


class Stat(NamedTuple):
    """One figure over a time: its mean, its highest, and of how many samples."""

    mean: float
    highest: float
    samples: int = 1


class Point(NamedTuple):
    """What a series holds in one frame; None where a figure is missing."""

    cpu: Stat | None
    memory: Stat | None


def pack_samples(uses: Mapping[int, tuple[float | None, float | None]]) -> bytes:
    """One moment: {series: (CPU in cores, memory in bytes)}."""
    ids = sorted(uses)
    n = len(ids)
    cpu = [_or_nan(uses[i][0]) for i in ids]
    memory = [_or_nan(uses[i][1]) for i in ids]
    return struct.pack(f"<B{n}I{n}f{n}f", SAMPLES, *ids, *cpu, *memory)


def pack_windows(points: Mapping[int, Point]) -> bytes:
    """One window: {series: its figures over it}."""
    ids = sorted(points)
    n = len(ids)
    columns: list[float] = []
    counts: list[list[int]] = []
    for stats in ([points[i].cpu for i in ids], [points[i].memory for i in ids]):
        columns += [stat.mean if stat else math.nan for stat in stats]
        columns += [stat.highest if stat else math.nan for stat in stats]
        counts.append([min(stat.samples, MOST_SAMPLES) if stat else 0 for stat in stats])
    return struct.pack(f"<B{n}I{4 * n}f{2 * n}H", WINDOWS, *ids, *columns, *counts[0], *counts[1])


def unpack(data: bytes | memoryview, wanted: Container[int] | None = None) -> dict[int, Point]:
    """What a frame holds of the wanted series (None: of all). Raises ValueError for other bytes."""
    view = memoryview(data)
    kind = view[0] if view else 0
    if kind not in (SAMPLES, WINDOWS):
        raise ValueError("this is no frame of metrics")
    n, rest = divmod(len(view) - 1, 12 if kind == SAMPLES else 24)
    if rest:
        raise ValueError("a frame of metrics was cut")
    ids = struct.unpack_from(f"<{n}I", view, 1)
    at = [k for k in range(n) if wanted is None or ids[k] in wanted]
    read = _read_samples if kind == SAMPLES else _read_windows
    return {ids[k]: point for k, point in zip(at, read(view, n, at), strict=True)}


def _read_samples(view: memoryview, n: int, at: list[int]) -> list[Point]:
    figures = struct.unpack_from(f"<{2 * n}f", view, 1 + 4 * n)
    return [Point(_sample(figures[k]), _sample(figures[n + k])) for k in at]


def _read_windows(view: memoryview, n: int, at: list[int]) -> list[Point]:
    figures = struct.unpack_from(f"<{4 * n}f", view, 1 + 4 * n)
    counts = struct.unpack_from(f"<{2 * n}H", view, 1 + 20 * n)
    return [
        Point(
            Stat(figures[k], figures[n + k], counts[k]) if counts[k] else None,
            Stat(figures[2 * n + k], figures[3 * n + k], counts[n + k]) if counts[n + k] else None,
        )
        for k in at
    ]


def merged(points: list[Point]) -> Point:
    """One series over a longer time: means weighted by their samples, the highest of all."""
    return Point(_merge([p.cpu for p in points]), _merge([p.memory for p in points]))


def _merge(stats: list[Stat | None]) -> Stat | None:
    known = [stat for stat in stats if stat is not None]
    samples = sum(stat.samples for stat in known)
    if not samples:
        return None
    total = math.fsum(stat.mean * stat.samples for stat in known)
    return Stat(total / samples, max(stat.highest for stat in known), samples)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _sample(value: float) -> Stat | None:
    return None if math.isnan(value) else Stat(value, value)
