"""What the list of tasks can be narrowed down by."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from provisioning.models import Task, TaskStatus
from provisioning.operations import OPERATIONS


class TaskFilter(django_filters.FilterSet):
    """status, operation, cluster."""

    status = django_filters.ChoiceFilter(
        choices=TaskStatus.choices, label=_("Status"), empty_label=_("Any status")
    )
    operation = django_filters.ChoiceFilter(label=_("Operation"), empty_label=_("Any operation"))
    cluster = django_filters.CharFilter(
        field_name="cluster_name", lookup_expr="iexact", label=_("Cluster")
    )

    class Meta:
        model = Task
        fields = ("status", "operation", "cluster")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Task.objects.order_by("operation").values_list("operation", flat=True).distinct()
        self.filters["operation"].extra["choices"] = [
            (name, operation_title(name)) for name in names
        ]


def operation_title(name: str) -> str:
    """An operation as people say it; one that no longer exists by its own name."""
    kind = OPERATIONS.get(name)
    return gettext(kind.title) if kind else name.replace("_", " ").capitalize()
