"""Rows of environment variables in a form: a value, or a key of a secret, each.

A row is four fields, env_N_name and so on. An empty row is no variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from tenancy.quick_start import Variable

# An empty form has a few rows, and grows by the same number.
ROWS, MOST_ROWS = 3, 60
MOST_VALUE = 32 * 1024
PARTS = ("name", "value", "secret", "key")
PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
SUBDOMAIN = re.compile(
    r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*"
)


def environment_fields(variables: Iterable[Variable]) -> dict[str, Any]:
    """The rows of environment variables, and how many rows a form needs for them."""
    listed = list(variables)
    found: dict[str, Any] = {"env_rows": min(len(listed) + 1, MOST_ROWS)}
    for n, one in enumerate(listed[:MOST_ROWS]):
        found |= {f"env_{n}_{part}": getattr(one, part) for part in PARTS}
    return found


def count_of(data: Mapping[str, Any]) -> int:
    """How many rows a form is to have by what was sent; more when the page asks for more."""
    asked = str(data.get("env_rows") or ROWS)
    count = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else ROWS
    return min(count + (ROWS if data.get("step") == "more" else 0), MOST_ROWS)


def add_rows(form: forms.Form, count: int) -> None:
    """Give a form the fields of so many rows."""
    labels = {"name": _("Name"), "value": _("Value"), "secret": _("Secret"), "key": _("Key")}
    for n in range(count):
        for part, label in labels.items():
            said = _("Variable %(n)d: %(part)s") % {"n": n + 1, "part": label}
            attrs = {**PLAIN, "aria-label": said}
            area = forms.Textarea(attrs={**attrs, "rows": 1})
            form.fields[f"env_{n}_{part}"] = forms.CharField(
                label=label,
                required=False,
                strip=part != "value",
                max_length=MOST_VALUE if part == "value" else 253,
                widget=area if part == "value" else forms.TextInput(attrs=attrs),
            )


def variables(form: forms.Form, data: Mapping[str, Any], count: int) -> list[Variable]:
    """The variables of the rows; what is wrong with one is put beside its field."""
    found: dict[str, Variable] = {}
    for n in range(count):
        parts = {part: str(data.get(f"env_{n}_{part}") or "") for part in PARTS}
        if not any(parts.values()):
            continue
        # A page's text fields end lines by CR LF, whatever was typed.
        one = Variable(**{**parts, "value": parts["value"].replace("\r\n", "\n")})
        if problem := _problem(one, found):
            part, said = problem
            form.add_error(f"env_{n}_{part}", said)
        found[one.name] = one
    return list(found.values())


def _problem(one: Variable, before: Mapping[str, Variable]) -> tuple[str, str] | None:
    """The field and what is wrong with it."""
    if not _VARIABLE.fullmatch(one.name) or one.name == "." or one.name.startswith(".."):
        return "name", _("Letters, digits, _, - and dots, no digit first.")
    if one.name in before:
        return "name", _("This name is there twice.")
    if not _can_be_sent(one.value):
        return "value", _("This is no text in UTF-8.")
    return _problem_of_secret(one) if one.secret or one.key else None


def _problem_of_secret(one: Variable) -> tuple[str, str] | None:
    if not (one.secret and one.key):
        return "key" if one.secret else "secret", _("Secret and key belong together.")
    if one.value:
        return "value", _("Either a value or a secret's key.")
    if not (SUBDOMAIN.fullmatch(one.secret) and _KEY.fullmatch(one.key)):
        return "secret", _("This is no name of a secret and its key.")
    return None


def _can_be_sent(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
