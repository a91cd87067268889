"""What lists of clusters can be narrowed down by, on pages and in the API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, ClusterStatus, Origin, Profile

TYPES = [choice for choice in Profile.choices if choice[0]]


class ClusterFilter(django_filters.FilterSet):
    """By text (name, endpoint, version), status, type and origin."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, version…")}),
    )
    status = django_filters.ChoiceFilter(choices=ClusterStatus.choices, empty_label=_("Any"))
    profile = django_filters.ChoiceFilter(choices=TYPES, label=_("Type"), empty_label=_("Any"))
    origin = django_filters.ChoiceFilter(choices=Origin.choices, empty_label=_("Any"))

    class Meta:
        model = Cluster
        fields = ("q", "status", "profile", "origin")

    def search(self, rows: QuerySet[Cluster], _name: str, text: str) -> QuerySet[Cluster]:
        """Clusters in which the text occurs, upper and lower case alike."""
        return rows.filter(
            Q(name__icontains=text) | Q(endpoint__icontains=text) | Q(version__icontains=text)
        )


class ClusterApiFilter(ClusterFilter):
    """What scripts narrow down by: also exactly one name."""

    name = django_filters.CharFilter()

    class Meta:
        model = Cluster
        fields = ("name", *ClusterFilter.Meta.fields)
