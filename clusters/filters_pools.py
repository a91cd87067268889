"""What lists of resource pools can be narrowed down by, on pages and in the API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, ResourcePool


class PoolFilter(django_filters.FilterSet):
    """By text (name, description, cluster) and by cluster."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, cluster…")}),
    )
    cluster = django_filters.ModelChoiceFilter(
        queryset=Cluster.objects.order_by("name"), label=_("Cluster"), empty_label=_("Any")
    )

    class Meta:
        model = ResourcePool
        fields = ("q", "cluster")

    def search(self, rows: QuerySet[ResourcePool], _name: str, text: str) -> QuerySet[ResourcePool]:
        """Pools in which the text occurs, upper and lower case alike."""
        return rows.filter(
            Q(name__icontains=text)
            | Q(description__icontains=text)
            | Q(cluster__name__icontains=text)
        )
