"""What the list of audit events can be narrowed down by, on the page and in the API."""

from __future__ import annotations

import ipaddress
import json
from datetime import datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Lower
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from console.audit import kinds
from console.audit.catalogue import ACTIONS
from console.audit.models import AuditEvent, Outcome

# Events are ordered by number, and numbers are given nearly, not quite, in the order of time: by
# as much a change may last, or a clock go back, between an event's time and its number.
SLACK = timedelta(hours=1)
# Conditions that one index answers in the list's order, as long as there is one of them.
INDEXED = frozenset(
    ("who", "action", "outcome", "request", "cluster", "tenant", "session", "address")
)
TIMES = frozenset(("since", "until"))
TEXTS = ("actor_name", "action", "object_name", "object_id", "reason", "request_id")
VALUES = ("before", "after")


def same_text(field: str, value: str) -> Any:
    """The condition that a field is this text in any case, as its index has it."""
    return Exact(Lower(field), Lower(Value(value.strip())))


class AuditEventFilter(django_filters.FilterSet):
    """Who, action, object, outcome, request, cluster, tenant, times, session, address, kind, q."""

    q = django_filters.CharFilter(method="by_text", label=_("Text"))
    who = django_filters.CharFilter(field_name="actor_name", method="by_name", label=_("Who"))
    action = django_filters.ChoiceFilter(
        choices=[(name, text) for name, text in ACTIONS.items()],
        label=_("Action"),
        empty_label=_("Any action"),
    )
    object = django_filters.CharFilter(method="by_object", label=_("Object"))
    outcome = django_filters.ChoiceFilter(
        choices=Outcome.choices, label=_("Outcome"), empty_label=_("Any outcome")
    )
    request = django_filters.CharFilter(method="by_request", label=_("Request id"))
    cluster = django_filters.CharFilter(
        field_name="cluster_name", method="by_name", label=_("Cluster")
    )
    tenant = django_filters.CharFilter(
        field_name="tenant_name", method="by_name", label=_("Tenant")
    )
    since = django_filters.IsoDateTimeFilter(
        method="from_time",
        label=_("From"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    until = django_filters.IsoDateTimeFilter(
        method="until_time",
        label=_("Until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    session = django_filters.CharFilter(field_name="session", label=_("Session"))
    address = django_filters.CharFilter(method="by_address", label=_("Address"))
    kind = django_filters.ChoiceFilter(
        method="by_kind", choices=kinds.CHOICES, label=_("Kind"), empty_label=_("Any kind")
    )

    class Meta:
        model = AuditEvent
        fields = (
            "q",
            "who",
            "action",
            "object",
            "outcome",
            "request",
            "cluster",
            "tenant",
            "since",
            "until",
            "session",
            "address",
            "kind",
        )

    @property
    def searches(self) -> bool:
        """Whether no single index answers it: what matches is looked for, event after event."""
        given = {name for name, value in self.form.cleaned_data.items() if value not in (None, "")}
        wanted = given - TIMES
        if wanted == {"object"}:
            return _type_and_key(self.form.cleaned_data["object"]) is None
        return len(wanted) > 1 or not wanted <= INDEXED

    def by_name(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> Any:
        """By a whole name in any case."""
        return queryset.filter(same_text(name, value))

    def by_request(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By the id that everything of one request has."""
        return queryset.filter(request_id=value.strip().lower())

    def by_text(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By a part of who, action, object, reason, request id, or a value before or after."""
        text = value.strip()
        wanted = Q(action__in=[key for key, told in ACTIONS.items() if _in(text, str(told))])
        for field in TEXTS:
            wanted |= Q(**{f"{field}__icontains": text})
        values = {f"{name}_text": Cast(name, TextField()) for name in VALUES}
        # As JSON writes it: databases differ in whether they keep what is no ASCII escaped.
        for spelling in {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
            for name in values:
                wanted |= Q(**{f"{name}__icontains": spelling})
        return queryset.alias(**values).filter(wanted)

    def by_object(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By a part of the name, by `type`, or by `type/id` ("provisioning.host/7")."""
        if found := _type_and_key(value):
            return queryset.filter(object_type=found[0], object_id=found[1])
        wanted = Q(object_name__icontains=value) | Q(object_type=value.strip().lower())
        return queryset.filter(wanted)

    def from_time(self, queryset: QuerySet[AuditEvent], _name: str, value: datetime) -> Any:
        """Not before this moment."""
        early = AuditEvent.objects.filter(time__lt=_moved(value, -SLACK)).order_by("-time", "-pk")
        before = early.values_list("pk", flat=True).first()
        if before is not None:
            queryset = queryset.filter(pk__gt=before)
        # Not by the index of times: its order is not the list's, and it would sort all of them.
        return queryset.filter(GreaterThanOrEqual(Coalesce("time", "time"), value))

    def until_time(self, queryset: QuerySet[AuditEvent], _name: str, value: datetime) -> Any:
        """Not after this moment."""
        late = AuditEvent.objects.filter(time__gt=_moved(value, SLACK)).order_by("time", "pk")
        beyond = late.values_list("pk", flat=True).first()
        if beyond is not None:
            queryset = queryset.filter(pk__lt=beyond)
        return queryset.filter(LessThanOrEqual(Coalesce("time", "time"), value))

    def by_address(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By an address in any spelling; what is none finds nothing."""
        try:
            return queryset.filter(address=str(ipaddress.ip_address(value.strip())))
        except ValueError:
            return queryset.none()

    def by_kind(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By one of console.audit.kinds."""
        return queryset.filter(kinds.KINDS[value][1])


def _type_and_key(value: str) -> tuple[str, str] | None:
    """("provisioning.host", "7") of "provisioning.host/7"; None where it is a part of a name."""
    kind, separator, key = value.strip().partition("/")
    return (kind.lower(), key) if separator and "." in kind else None


def _moved(value: datetime, by: timedelta) -> datetime:
    try:
        return value + by
    except OverflowError:  # the calendar's first or last hour: there is nothing beyond
        return value


def _in(part: str, text: str) -> bool:
    return part.casefold() in text.casefold()
