"""Quantities of Kubernetes ("250m", "64Mi", "1e3") as numbers.

quantity() is for what clusters say and pages show; exact() for what is added up and compared.

Source: apimachinery's resource.Quantity: a decimal number with a decimal
suffix (n, u, m, k, M, G, T, P, E), a binary one (Ki … Ei) or an exponent.
"""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))"
    r"(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i))?"
)
_PARTS = {"n": 1e9, "u": 1e6, "m": 1e3}
_FACTORS = {
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def quantity(text: object) -> float | None:
    """The number that a quantity stands for (cores, bytes, pieces); None for what is none.

    A JSON number counts as one: `cpu: 2` of a manifest may come as it was written.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if -1e30 < text < 1e30 else None
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if exponent is not None:
        # In one step: 3 * 10.0**-1 is not 0.3.
        return float(f"{number}e{exponent}")
    if suffix in _PARTS:
        # A division is exact where a factor is not: 100m is 0.1.
        return float(number) / _PARTS[suffix]
    return float(number) * _FACTORS.get(suffix or "", 1.0)


def exact(text: object) -> Fraction | None:
    """The same number without any rounding; a float of JSON counts as it is written."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return Fraction(repr(text)) if -1e30 < text < 1e30 else None
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if exponent is not None:
        return Fraction(number) * Fraction(10) ** int(exponent)
    if suffix in _PARTS:
        return Fraction(number) / int(_PARTS[suffix])
    return Fraction(number) * int(_FACTORS.get(suffix or "", 1))
