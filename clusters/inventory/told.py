"""What a builder of one kind tells about an object, besides what every object has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusters.models import Health


@dataclass
class Told:
    """The parts of a row that its kind decides; see docs/inventory.md."""

    status: str = ""
    health: Health = Health.NONE
    node: str = ""
    address: str = ""
    images: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
