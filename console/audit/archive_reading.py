"""Events of an archive's file, narrowed down and in pages: the file is the only place they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.audit.archive_file import events_of
from console.audit.catalogue import ACTIONS
from console.audit.models import AuditEvent, Outcome

PAGE = 50


class ArchiveFilterForm(forms.Form):
    """who, action, object, outcome, request, cluster, tenant, since and until."""

    who = forms.CharField(label=_("Who"), required=False)
    action = forms.ChoiceField(
        choices=[("", _("Any action")), *ACTIONS.items()], label=_("Action"), required=False
    )
    object = forms.CharField(label=_("Object"), required=False)
    outcome = forms.ChoiceField(
        choices=[("", _("Any outcome")), *Outcome.choices], label=_("Outcome"), required=False
    )
    request = forms.CharField(label=_("Request id"), required=False)
    cluster = forms.CharField(label=_("Cluster"), required=False)
    tenant = forms.CharField(label=_("Tenant"), required=False)
    since = forms.DateTimeField(
        label=_("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    @property
    def chosen(self) -> dict[str, Any]:
        """What was filled in, cleaned; to be asked for after is_valid()."""
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True)
class Slice:
    """Some (position, event) of an archive, and the positions where the pages beside it begin."""

    rows: list[tuple[int, Any]]
    next: int | None
    previous: int | None


def page(path: Path, chosen: Mapping[str, Any], at: int = 0, size: int = PAGE) -> Slice:
    """Up to `size` events from position `at` on that fit. Raises what UNREADABLE lists."""
    before: deque[int] = deque(maxlen=size)
    rows: list[tuple[int, Any]] = []
    for position, event in matching(path, chosen):
        if position < at:
            before.append(position)
        elif len(rows) == size:
            return Slice(rows, position, before[0] if before else None)
        else:
            rows.append((position, as_event(event)))
    return Slice(rows, None, before[0] if before else None)


def matching(path: Path, chosen: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, event) of the events that fit, in their order."""
    for position, event in events_of(path):
        if fits(event, chosen):
            yield position, event


def fits(event: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
    """Whether an event is what the filter wants, as the filter of the list would say."""
    time = datetime.fromisoformat(event["time"])
    kind, name = event["object_type"].lower(), event["object_name"].lower()
    wanted = str(chosen.get("object", "")).lower()
    same = {
        "who": "actor_name",
        "action": "action",
        "outcome": "outcome",
        "request": "request_id",
        "cluster": "cluster_name",
        "tenant": "tenant_name",
    }
    return (
        all(
            str(chosen[word]).lower() == event[field].lower()
            for word, field in same.items()
            if word in chosen
        )
        and (wanted in name or wanted in (kind, f"{kind}/{event['object_id'].lower()}"))
        and ("since" not in chosen or chosen["since"] <= time)
        and ("until" not in chosen or time <= chosen["until"])
    )


def as_event(row: Mapping[str, Any]) -> AuditEvent:
    """The event as the table had it, for templates; it is never saved."""
    links = {"actor": "actor_key", "cluster": "cluster_key", "tenant": "tenant_key"}
    known = {field.name for field in AuditEvent._meta.concrete_fields} - set(links)
    values = {name: value for name, value in row.items() if name in known and name != "time"}
    values |= {key: row[name] for name, key in links.items()}
    return AuditEvent(time=datetime.fromisoformat(row["time"]), **values)
