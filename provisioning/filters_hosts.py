"""What the list of hosts can be narrowed down by, on the page and in the API."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster
from provisioning.models import Host, HostState

FREE = Q(state=HostState.READY, cluster=None, cleanups=None)


def clusters_with_hosts(_request: Any) -> QuerySet[Cluster]:
    """Only clusters that hosts of this console serve can be chosen."""
    return Cluster.objects.filter(hosts__isnull=False).distinct()


class HostFilter(django_filters.FilterSet):
    """q (name, address or fact), state, cluster and free."""

    q = django_filters.CharFilter(
        method="by_text",
        label=_("Name or address"),
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    state = django_filters.ChoiceFilter(
        choices=HostState.choices, label=_("State"), empty_label=_("Any state")
    )
    cluster = django_filters.ModelChoiceFilter(
        queryset=clusters_with_hosts, label=_("Cluster"), empty_label=_("Any cluster")
    )
    free = django_filters.BooleanFilter(
        method="by_free", label=_("Free for a new cluster"), widget=forms.CheckboxInput
    )

    class Meta:
        model = Host
        fields = ("q", "state", "cluster", "free")

    def by_text(self, queryset: QuerySet[Host], _name: str, value: str) -> QuerySet[Host]:
        """By a part of the name, the address or the operating system."""
        return queryset.filter(
            Q(name__icontains=value)
            | Q(address__icontains=value)
            | Q(facts__os_pretty__icontains=value)
        )

    def by_free(self, queryset: QuerySet[Host], _name: str, value: bool) -> QuerySet[Host]:
        """Ready, in no cluster, and clean. No: no restriction, an empty box says nothing."""
        return queryset.filter(FREE) if value else queryset
