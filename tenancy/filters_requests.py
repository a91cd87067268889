"""What lists of requests can be narrowed down by, on pages and in the API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from tenancy.models import Request, RequestKind, RequestState


class RequestFilter(django_filters.FilterSet):
    """By text (tenant, asker, reason, answer), state and kind."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Tenant, person…")}),
    )
    state = django_filters.ChoiceFilter(
        choices=RequestState.choices, label=_("State"), empty_label=_("Any")
    )
    kind = django_filters.ChoiceFilter(
        choices=RequestKind.choices, label=_("Kind"), empty_label=_("Any")
    )

    class Meta:
        model = Request
        fields = ("q", "state", "kind")

    def search(self, rows: QuerySet[Request], _name: str, text: str) -> QuerySet[Request]:
        """Requests in which the text occurs, upper and lower case alike."""
        return rows.filter(
            Q(tenant__name__icontains=text)
            | Q(tenant__slug__icontains=text)
            | Q(by__username__icontains=text)
            | Q(reason__icontains=text)
            | Q(answer__icontains=text)
        )
