"""What the list of audit events can be narrowed down by, on the page and in the API."""

from __future__ import annotations

import ipaddress
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from console.audit import kinds
from console.audit.catalogue import ACTIONS
from console.audit.models import AuditEvent, Outcome


class AuditEventFilter(django_filters.FilterSet):
    """Who, action, object, outcome, request, cluster, tenant, times, session, address, kind."""

    who = django_filters.CharFilter(field_name="actor_name", lookup_expr="iexact", label=_("Who"))
    action = django_filters.ChoiceFilter(
        choices=[(name, text) for name, text in ACTIONS.items()],
        label=_("Action"),
        empty_label=_("Any action"),
    )
    object = django_filters.CharFilter(method="by_object", label=_("Object"))
    outcome = django_filters.ChoiceFilter(
        choices=Outcome.choices, label=_("Outcome"), empty_label=_("Any outcome")
    )
    request = django_filters.CharFilter(
        field_name="request_id", lookup_expr="iexact", label=_("Request id")
    )
    cluster = django_filters.CharFilter(
        field_name="cluster_name", lookup_expr="iexact", label=_("Cluster")
    )
    tenant = django_filters.CharFilter(
        field_name="tenant_name", lookup_expr="iexact", label=_("Tenant")
    )
    since = django_filters.IsoDateTimeFilter(
        field_name="time",
        lookup_expr="gte",
        label=_("From"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    until = django_filters.IsoDateTimeFilter(
        field_name="time",
        lookup_expr="lte",
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

    def by_object(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By a part of the name, by `type`, or by `type/id` ("provisioning.host/7")."""
        kind, separator, key = value.partition("/")
        if separator and "." in kind:
            return queryset.filter(object_type__iexact=kind, object_id=key)
        return queryset.filter(Q(object_name__icontains=value) | Q(object_type__iexact=value))

    def by_address(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By an address in any spelling; what is none finds nothing."""
        try:
            return queryset.filter(address=str(ipaddress.ip_address(value.strip())))
        except ValueError:
            return queryset.none()

    def by_kind(self, queryset: QuerySet[AuditEvent], _name: str, value: str) -> Any:
        """By one of console.audit.kinds."""
        return queryset.filter(kinds.KINDS[value][1])
