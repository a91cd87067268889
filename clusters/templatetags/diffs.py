"""Unified diffs as lines with a class each; the sign at the line's start says the same."""

from __future__ import annotations

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()
_CLASSES = {"+": "fl-diff-new", "-": "fl-diff-old", "@": "fl-diff-at"}


@register.filter
def diff_lines(text: str) -> SafeString:
    """The lines of a unified diff, escaped."""
    return format_html_join(
        "\n",
        '<span class="fl-diff-line {}">{}</span>',
        ((_CLASSES.get(line[:1], ""), line) for line in str(text).splitlines()),
    )
