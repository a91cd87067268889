"""Template filters of objects' pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from clusters.yaml_text import pieces

register = template.Library()


@register.filter
def as_yaml(value: Any) -> SafeString:
    """A value of the inventory as coloured YAML."""
    spans = format_html_join(
        "", '<span class="fl-y-{}">{}</span>', ((p.kind or "sign", p.text) for p in pieces(value))
    )
    return format_html('<pre class="fl-code fl-yaml" tabindex="0">{}</pre>', spans)
