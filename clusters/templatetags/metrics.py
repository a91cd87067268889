"""Figures of use in templates."""

from __future__ import annotations

from typing import Any

from django import template

from clusters.metrics_page import text_of

register = template.Library()


@register.filter
def used_text(value: Any, what: str) -> str:
    """0.035 with "cpu" -> "0.035 CPU", 1073741824 with "memory" -> "1 GiB", None -> "–"."""
    return text_of(what, value)


@register.simple_tag
def used_share(used: Any, most: Any) -> str:
    """How much of most is used, in per cent: "35"; "" where nothing can be said."""
    if used is None or not most:
        return ""
    return f"{100 * float(used) / float(most):.0f}"
