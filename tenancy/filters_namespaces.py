"""What lists of tenants' namespaces can be narrowed down by, on pages and in the API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from tenancy.models import Namespace, NamespaceState


class NamespaceFilter(django_filters.FilterSet):
    """By text (name, description, tenant, cluster), by the tenant's short name and by state."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Name, tenant, cluster…")}
        ),
    )
    state = django_filters.ChoiceFilter(
        choices=NamespaceState.choices, label=_("State"), empty_label=_("Any")
    )
    # Typed or linked to: a choice would cost a query of its own.
    tenant = django_filters.CharFilter(
        method="of_tenant",
        label=_("Tenant"),
        widget=forms.TextInput(attrs={"placeholder": _("Short name")}),
    )

    class Meta:
        model = Namespace
        fields = ("q", "state", "tenant")

    def of_tenant(self, rows: QuerySet[Namespace], _name: str, key: str) -> QuerySet[Namespace]:
        """The namespaces of the tenant of a short name or key: no short name is a number."""
        number = key.isascii() and key.isdigit() and len(key) < 19
        return rows.filter(tenant=int(key)) if number else rows.filter(tenant__slug=key)

    def search(self, rows: QuerySet[Namespace], _name: str, text: str) -> QuerySet[Namespace]:
        """Namespaces in which the text occurs, upper and lower case alike."""
        return rows.filter(
            Q(name__icontains=text)
            | Q(description__icontains=text)
            | Q(tenant__name__icontains=text)
            | Q(cluster__name__icontains=text)
        )
