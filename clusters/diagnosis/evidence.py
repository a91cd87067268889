"""Where the proof of a cause stands on an object's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from clusters.diagnosis.reading import mapping, text

SUMMARY, EVENTS = "summary", "events"


@dataclass(frozen=True)
class Evidence:
    """The object and, on its page, the tab and the anchor that show the proof.

    resource, namespace ("-" for none) and name are those of clusters:object.
    """

    label: str
    resource: str
    namespace: str
    name: str
    tab: str
    anchor: str


def evidence_link(row: Any, cause: Mapping[str, Any]) -> Evidence:
    """The place of a cause's proof; the row's own summary where nothing better is known."""
    proof = mapping(cause.get("evidence"))
    kind, name = proof.get("kind"), text(proof.get("name"), 253)
    here = (row.resource, row.namespace or "-", row.name)
    if kind == "event":
        return Evidence(_("Event %(name)s") % {"name": name}, *here, EVENTS, "")
    if kind == "condition":
        label = _("Condition %(name)s") % {"name": name}
        return Evidence(label, *here, SUMMARY, "conditions-heading")
    if kind == "container":
        label = _("Container %(name)s") % {"name": name}
        return Evidence(label, *here, SUMMARY, "containers-heading")
    resource = text(proof.get("resource"), 320)
    if kind == "object" and resource and name:
        namespace = text(proof.get("namespace"), 63) or "-"
        return Evidence(name, resource, namespace, name, SUMMARY, "")
    return Evidence(_("Summary"), *here, SUMMARY, "")
