"""Label selectors that people type ("app=web,tier!=x"), as conditions of a query."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import F, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

# Labels and Selectors, "Syntax and character set": a prefix is a DNS subdomain.
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}"
_VALUE = rf"(?:{_NAME})?"
_EQUAL = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*\Z")
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*\Z")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*\Z")
_COMMA = re.compile(r",(?![^(]*\))")
MOST = 20


class BadSelector(ValueError):
    """What was typed is no label selector; the text says which part, for people."""


@dataclass(frozen=True)
class Requirement:
    """One part of a selector. negated without values: the label must not be there."""

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False


def parse(text: str) -> list[Requirement]:
    """The requirements of a selector, all of which must hold. Raises BadSelector."""
    parts = [part for part in _COMMA.split(text) if part.strip()]
    if len(parts) > MOST:
        raise BadSelector(_("At most %(n)d requirements, please.") % {"n": MOST})
    return [_requirement(part) for part in parts]


def _requirement(part: str) -> Requirement:
    if match := _EQUAL.match(part):
        return Requirement(match[1], (match[3],), match[2] == "!=")
    if match := _SET.match(part):
        values = tuple(value.strip() for value in match[3].split(","))
        if len(values) <= MOST and all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(match[1], values, match[2] == "notin")
    elif match := _EXISTS.match(part):
        return Requirement(match[2], (), match[1] == "!")
    raise BadSelector(
        _("“%(part)s” is no label selector: write app=web, tier!=cache, env in (a,b), key or !key.")
        % {"part": part.strip()[:60]}
    )


def condition(requirement: Requirement) -> Q:
    """The condition on `labels` of a row. Unequal also holds without it, as in Kubernetes."""
    value = KeyTextTransform(requirement.key, F("labels"))
    if not requirement.values:
        there = Q(labels__has_key=requirement.key)
        return ~there if requirement.negated else there
    found = Q()
    for wanted in requirement.values:
        found |= Q(Exact(value, wanted))
    if requirement.negated:
        return ~Q(labels__has_key=requirement.key) | ~found
    return found
