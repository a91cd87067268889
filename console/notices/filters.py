"""What the feed can be narrowed down by, on the page and in the API."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from console.notices.catalogue import KINDS
from console.notices.models import Notice, Severity

LASTING = [name for name, kind in KINDS.items() if kind.lasting]


class NoticeFilter(django_filters.FilterSet):
    """kind, severity, state (open, over), cluster, about, unread."""

    state = django_filters.ChoiceFilter(
        method="by_state",
        choices=(("open", _("Still so")), ("over", _("Over or past")), ("unread", _("Unread"))),
        label=_("State"),
        empty_label=_("Any state"),
    )
    severity = django_filters.ChoiceFilter(
        choices=Severity.choices, label=_("Severity"), empty_label=_("Any severity")
    )
    kind = django_filters.ChoiceFilter(
        choices=[(name, kind.label) for name, kind in KINDS.items()],
        label=_("Kind"),
        empty_label=_("Any kind"),
    )
    about = django_filters.CharFilter(method="by_name", label=_("Cluster or name"))

    class Meta:
        model = Notice
        fields = ("state", "severity", "kind", "about")

    def by_state(self, queryset: QuerySet[Notice], _name: str, value: str) -> QuerySet[Notice]:
        """open: what still holds. unread: needs reading.with_read."""
        holds = Q(resolved=None, kind__in=LASTING)
        if value == "unread":
            return queryset.filter(Q(("unread", True)))
        return queryset.filter(holds) if value == "open" else queryset.exclude(holds)

    def by_name(self, queryset: QuerySet[Notice], _name: str, value: str) -> Any:
        """By a part of the cluster's or the thing's name."""
        return queryset.filter(Q(cluster__icontains=value) | Q(subject_name__icontains=value))
