"""What lists of tenants can be narrowed down by, on pages and in the API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from tenancy.models import Tenant


class TenantFilter(django_filters.FilterSet):
    """By text (name, short name, description) and by whether it is frozen."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, description…")}),
    )
    frozen = django_filters.ChoiceFilter(
        choices=(("true", _("Frozen")), ("false", _("Not frozen"))),
        method="by_frozen",
        label=_("State"),
        empty_label=_("Any"),
    )

    class Meta:
        model = Tenant
        fields = ("q", "frozen")

    def search(self, rows: QuerySet[Tenant], _name: str, text: str) -> QuerySet[Tenant]:
        """Tenants in which the text occurs, upper and lower case alike."""
        return rows.filter(
            Q(name__icontains=text) | Q(slug__icontains=text) | Q(description__icontains=text)
        )

    def by_frozen(self, rows: QuerySet[Tenant], _name: str, value: str) -> QuerySet[Tenant]:
        """The frozen ones, or the others."""
        return rows.filter(frozen=value == "true")
