"""Template filters of a cluster's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def of(mapping: Any, key: object) -> Any:
    """The entry of a mapping under a key; nothing where there is none."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None
