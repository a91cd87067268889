"""Whether an object on a cluster is as it is wanted, and how it differs where it is not.

Only what the console sets is looked at: what servers, controllers and other people add beside
it is none of its business, except where it would weaken what it sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from clusters.manifest_text import difference
from clusters.pools_rules import POOL_LABEL
from clusters.quantities import quantity
from tenancy.desired import CONSOLE, LABELS, NODE_SELECTOR, SECURITY, TOLERATIONS, WANTED
from tenancy.isolation import NAME_LABEL, TENANT_LABEL

JSON = dict[str, Any]

MOST_DIFF = 8000
_ANNOTATIONS = (CONSOLE, NODE_SELECTOR, TOLERATIONS)
_LABELS = (*LABELS, TENANT_LABEL, NAME_LABEL, POOL_LABEL)
# In these a value is a quantity, which has many spellings.
_AMOUNTS = ("hard", "default", "defaultRequest", "max", "min", "maxLimitRequestRatio")


def metadata_of(body: Mapping[str, Any]) -> JSON:
    """The object's metadata, {} for what is none."""
    found = body.get("metadata")
    return found if isinstance(found, dict) else {}


def labels_of(body: Mapping[str, Any]) -> JSON:
    """The object's labels."""
    found = metadata_of(body).get("labels")
    return found if isinstance(found, dict) else {}


def annotations_of(body: Mapping[str, Any]) -> JSON:
    """The object's annotations."""
    found = metadata_of(body).get("annotations")
    return found if isinstance(found, dict) else {}


def mark_of(body: Mapping[str, Any]) -> str:
    """The digest of the wish that was applied last; "" when the object carries none."""
    return str(annotations_of(body).get(WANTED) or "")


def same(live: JSON, wanted: JSON) -> bool:
    """Whether the cluster's object is as wanted, however it spells quantities."""
    return bool(_plain(_seen(live, wanted)) == _plain(_seen(wanted, wanted)))


def digest(live: JSON, wanted: JSON) -> str:
    """Tells what somebody made of an object apart from what they make of it later."""
    text = json.dumps(_plain(_seen(live, wanted)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def diff(live: JSON | None, wanted: JSON | None) -> str:
    """A unified diff from what is wanted to what the cluster has; at most 8,000 characters."""
    of = wanted or live or {}
    there = _seen(live, of) if live is not None else None
    here = _seen(wanted, of) if wanted is not None else None
    if here and there and "spec" in here:
        here["spec"] = _spelled_like(here["spec"], there["spec"])
    told = difference(here, there)
    return told if len(told) <= MOST_DIFF else told[:MOST_DIFF] + "\n…"


def _seen(body: JSON, wanted: JSON) -> JSON:
    """What is looked at of an object, in the order of the API's own manifests."""
    kind = str(wanted.get("kind"))
    labels = labels_of(body)
    kept = {*_LABELS, *labels_of(wanted)}
    seen = {key: labels[key] for key in sorted(labels) if key in kept or key.startswith(SECURITY)}
    metadata: JSON = {"name": metadata_of(body).get("name"), "labels": seen}
    if kind == "Namespace":
        told = annotations_of(body)
        annotations = {key: told[key] for key in _ANNOTATIONS if key in told}
        if annotations:
            metadata["annotations"] = annotations
    found: JSON = {"kind": kind, "metadata": metadata}
    if kind == "RoleBinding":
        found["roleRef"] = body.get("roleRef")
        found["subjects"] = body.get("subjects") or []
    elif kind != "Namespace":
        found["spec"] = body.get("spec") or {}
    return found


def _spelled_like(value: Any, other: Any) -> Any:
    """The value, with quantities as the other one spells them where they mean the same."""
    if isinstance(value, dict) and isinstance(other, dict):
        return {key: _spelled_like(item, other.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return [_spelled_like(*pair) for pair in zip(value, other, strict=True)]
    if isinstance(value, str) and quantity(value) is not None:
        return other if quantity(other) == quantity(value) else value
    return value


def _plain(value: Any, amounts: bool = False) -> Any:
    """Without empty lists, which servers leave out, and with quantities as numbers."""
    if isinstance(value, dict):
        return {
            key: _plain(item, amounts=amounts or key in _AMOUNTS)
            for key, item in value.items()
            if item is not None and item != []
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if amounts:
        number = quantity(value)
        return value if number is None else number
    return value
