"""The template tags and filters of every page; docs/ui.md shows each with an example."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.forms.boundfield import BoundWidget
from django.template.context import Context
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from console.accounts.permissions import allowed
from console.ui.lists import sort_link
from console.ui.quantities import ago_text, bytes_text, cpus_text, duration_text
from console.ui.statuses import look

register = template.Library()
CONTROL = re.compile(
    r"\x1b\[[0-9;:]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles and links
    r"|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]"
)


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decorative icon: what it means must also stand there in words."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra,
        static("vendor/icons.svg"),
        name,
    )


@register.inclusion_tag("ui/status_badge.html")
def status_badge(
    status: object, label: str = "", since: datetime | None = None, reason: str = ""
) -> dict[str, Any]:
    """A status as word, icon and colour, with since-when and the reason where known."""
    found = look(status)
    word = label or getattr(status, "label", "") or found.label
    return {"look": found, "word": word, "since": since, "reason": reason}


def status_badge_html(status: object, label: str = "") -> SafeString:
    """The same badge for code that has no template, without since-when."""
    found = look(status)
    return format_html(
        '<span class="fl-status fl-{}">{}<span>{}</span></span>',
        found.tone,
        icon(found.icon, "fl-spin" if found.moving else ""),
        label or found.label,
    )


@register.simple_tag
def ago(moment: datetime | None, missing: str = "–") -> str:
    """A relative time with the exact one on hover; refreshed by static/js/console.js."""
    if moment is None:
        return missing
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(),
        f"{date_format(local, 'Y-m-d H:i:s')} {local.tzname()}",
        ago_text((timezone.now() - moment).total_seconds()),
    )


@register.filter(name="bytes")
def bytes_filter(count: Any) -> str:
    """2147483648 -> 2 GiB; nothing for what is no number."""
    return bytes_text(count) if isinstance(count, (int, float)) else ""


@register.filter
def cpus(count: Any) -> str:
    """1.5 -> 1.5 CPU; nothing for what is no number."""
    return cpus_text(count) if isinstance(count, (int, float)) else ""


@register.filter
def duration(seconds: Any) -> str:
    """65 -> 1 min 05 s; nothing for what is no number."""
    return duration_text(seconds) if isinstance(seconds, (int, float)) else ""


@register.simple_tag(takes_context=True)
def may(context: Context, permission: str) -> bool:
    """Whether the signed-in user's role carries the permission."""
    user = context.get("user") or AnonymousUser()
    return allowed(user, permission)


@register.simple_tag(takes_context=True)
def again(context: Context, name: str) -> str:
    """The content of a block once more: the page's title is also its heading."""
    # An included template has a render context of its own on top of the page's.
    for state in reversed(context.render_context.dicts):
        if BLOCK_CONTEXT_KEY in state:
            blocks: Any = state[BLOCK_CONTEXT_KEY]
            block = blocks.get_block(name)
            return block.render(context) if block else SafeString("")
    return SafeString("")


@register.simple_tag(takes_context=True)
def sort(context: Context, key: str, label: str) -> SafeString:
    """A column heading that sorts by key; the view puts `page` of keyset() in the context."""
    href, arrow, aria = sort_link(context["request"], key, context["page"].sort)
    mark = icon(arrow, "icon-inline") if arrow else ""
    return format_html('<th scope="col"{}><a href="{}">{}{}</a></th>', aria, href, label, mark)


@register.simple_tag
def widget(field: BoundField) -> SafeString:
    """A form field's input with the classes and the ARIA references of ui/field.html."""
    kind = field.field.widget
    attrs: dict[str, str | bool] = {"class": _widget_class(kind)}
    described = [f"id_{field.html_name}_error"] if field.errors else []
    described += [f"{field.auto_id}_helptext"] if field.help_text else []
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if field.errors:
        attrs["class"] = f"{attrs['class']} is-invalid"
        attrs["aria-invalid"] = "true"
    if own := kind.attrs.get("class"):
        attrs["class"] = f"{attrs['class']} {own}"
    return field.as_widget(attrs=attrs)


@register.simple_tag
def choice_widget(choice: BoundWidget) -> SafeString:
    """One radio button or box of a field, with its class; the label is the caller's."""
    attrs = choice.data["attrs"]
    if "form-check-input" not in attrs.get("class", "").split():
        attrs["class"] = f"form-check-input {attrs.get('class', '')}".strip()
    return choice.tag()


def _widget_class(kind: Any) -> str:
    if isinstance(kind, (CheckboxInput, CheckboxSelectMultiple, RadioSelect)):
        return "form-check-input"
    if isinstance(kind, Select):
        return "form-select"
    return "form-control"


@register.filter
def is_checkbox(field: BoundField) -> bool:
    """One box: its label stands beside it."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def is_choices(field: BoundField) -> bool:
    """Several boxes or radio buttons: they form a fieldset."""
    return isinstance(field.field.widget, (CheckboxSelectMultiple, RadioSelect))


@register.filter
def tr(text: str) -> str:
    """A text that comes from a row or from the recipes, in the reader's language."""
    return gettext(text) if text else ""


@register.simple_tag
def took(thing: Any) -> str:
    """From .started to .ended; ticking (static/js/task.js) while it has not ended."""
    if thing.started is None:
        return "–"
    if thing.ended is not None:
        return duration_text((thing.ended - thing.started).total_seconds())
    return elapsed(thing.started)


@register.simple_tag
def elapsed(started: datetime) -> SafeString:
    """The time since, ticking each second."""
    seconds = int((timezone.now() - started).total_seconds())
    return format_html(
        '<span data-tick="{}">{}:{}</span>',
        started.isoformat(),
        seconds // 60,
        f"{seconds % 60:02d}",
    )


@register.simple_tag
def phase_icon(status: object) -> SafeString:
    """The icon of a status, alone: the word stands beside it."""
    found = look(status)
    return icon(found.icon, "fl-spin" if found.moving else "")


@register.simple_tag
def status_word(status: object) -> str:
    """The word of a status, alone."""
    return str(look(status).label)


@register.simple_tag
def as_json(value: Any) -> str:
    """A value as JSON for a data attribute; the template escapes it."""
    return conditional_escape(json.dumps(value, ensure_ascii=False))


@register.filter
def plain(text: str) -> str:
    """Terminal output without its control sequences."""
    return CONTROL.sub("", text)
