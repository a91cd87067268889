"""How use over time is packed into rows of tenancy.models_use, and read from them.

A frame is {subject: {resource: (used, limit)}}, both in the units of tenancy.amounts, as
compressed JSON. A subject is "7:3" for namespace 7 of tenant 3 (after a move it begins anew:
what another tenant used is not for everybody to see), "3:0" for tenant 3 over all clusters and
"3:12" on one. What was not limited or not known is not in it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

PART_SIZE = 64
# A frame of 64 namespaces is some 10 KB; this only ends what is broken.
_MOST_BYTES = 8 * 1024 * 1024


class Point(NamedTuple):
    """An amount at a time, and what its quota was then."""

    used: int
    limit: int


Points = dict[str, Point]
Frame = dict[str, Points]


def part_of(key: int) -> int:
    """The part in which the key of a namespace or a tenant is."""
    return key // PART_SIZE


def pack(frame: Mapping[str, Mapping[str, Point]]) -> bytes:
    """A frame as bytes."""
    return zlib.compress(json.dumps(frame, separators=(",", ":")).encode(), 6)


def unpack(data: bytes | memoryview) -> Frame:
    """The frame of these bytes. Raises ValueError when they are none."""
    opened = zlib.decompressobj()
    try:
        text = opened.decompress(bytes(data), _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"no frame of use: {error}") from error
    if opened.unconsumed_tail:
        raise ValueError("no frame of use: it is too large")
    return {
        subject: {key: Point(*pair) for key, pair in points.items()}
        for subject, points in json.loads(text).items()
    }


def highest(frames: Iterable[Frame]) -> Frame:
    """One frame for several: of each amount the highest, with the limit that held then."""
    found: Frame = {}
    for frame in frames:
        for subject, points in frame.items():
            kept = found.setdefault(subject, {})
            for key, point in points.items():
                if key not in kept or point.used >= kept[key].used:
                    kept[key] = point
    return found
