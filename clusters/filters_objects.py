"""What lists of objects and events can be narrowed down by, on pages and in the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from clusters import label_query
from clusters.inventory.kinds import BY_RESOURCE
from clusters.models import Cluster, ClusterEvent, Health, Object
from clusters.rights import own_namespaces, sees_all

LOOK = "look"
HEALTH = (
    ("", _("Any")),
    (LOOK, _("Needs a look")),
    (Health.BAD.value, _("Failing")),
    (Health.MOVING.value, _("Changing")),
    (Health.GOOD.value, _("Fine")),
)
# A choice of namespaces that is longer than this is typed instead.
CHOICES = 200


class ObjectFilter(forms.Form):
    """By text in the name, kind, namespace, status, health, labels and node.

    What the shown resources do not have (a node, a namespace) is left out.
    """

    q = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=253,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Part of the name")}),
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    namespace = forms.CharField(label=_("Namespace"), required=False, max_length=63)
    status = forms.ChoiceField(label=_("Status"), required=False)
    health = forms.ChoiceField(label=_("Health"), choices=HEALTH, required=False)
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"placeholder": "app=web,tier!=cache"}),
    )
    node = forms.CharField(label=_("Node"), required=False, max_length=253)

    def __init__(
        self,
        data: Any,
        resources: Sequence[str],
        statuses: Sequence[str] = (),
        namespaces: Sequence[str] = (),
    ) -> None:
        super().__init__(data)
        self.resources = tuple(resources)
        kinds = [BY_RESOURCE[resource] for resource in resources if resource in BY_RESOURCE]
        if len(resources) < 2:
            del self.fields["kind"]
        else:
            self.fields["kind"] = _choice(_("Kind"), [(k.resource, k.kind) for k in kinds])
        if kinds and not any(kind.namespaced for kind in kinds):
            del self.fields["namespace"]
        elif 0 < len(namespaces) <= CHOICES:
            self.fields["namespace"] = _choice(
                _("Namespace"), [(n, n) for n in namespaces], str(data.get("namespace", ""))
            )
        if statuses:
            self.fields["status"] = _choice(
                _("Status"), [(s, s) for s in statuses], str(data.get("status", ""))
            )
        else:
            del self.fields["status"]
            del self.fields["health"]
        if "pods" not in resources:
            del self.fields["node"]

    def clean_labels(self) -> list[label_query.Requirement]:
        """The requirements of the selector."""
        try:
            return label_query.parse(self.cleaned_data["labels"])
        except label_query.BadSelector as error:
            raise forms.ValidationError(str(error)) from error

    def rows(self, rows: QuerySet[Object]) -> QuerySet[Object]:
        """The rows that pass; none while a field has an error, which stands beside it."""
        if not self.is_valid():
            return rows.none()
        wanted = self.cleaned_data
        kind = wanted.get("kind")
        resources = (kind,) if kind else self.resources
        one = len(resources) == 1
        rows = rows.filter(resource=resources[0]) if one else rows.filter(resource__in=resources)
        for name in ("namespace", "status", "node"):
            if wanted.get(name):
                rows = rows.filter(**{name: wanted[name]})
        if wanted.get("health") == LOOK:
            rows = rows.filter(health__in=(Health.BAD, Health.WARN))
        elif wanted.get("health"):
            rows = rows.filter(health=wanted["health"])
        if wanted.get("q"):
            rows = rows.filter(name__contains=wanted["q"].lower())
        for requirement in wanted.get("labels") or ():
            rows = rows.filter(label_query.condition(requirement))
        return rows


class EventFilter(forms.Form):
    """By text, namespace, kind of object, and whether it is a warning."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=253,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Reason, object, text")}),
    )
    namespace = forms.CharField(label=_("Namespace"), required=False, max_length=63)
    kind = forms.ChoiceField(label=_("Object"), required=False)
    type = forms.ChoiceField(
        label=_("Type"),
        required=False,
        choices=(("", _("Any")), ("warning", _("Warning")), ("normal", _("Normal"))),
    )

    def __init__(self, data: Any, namespaces: Sequence[str] = ()) -> None:
        super().__init__(data)
        if 0 < len(namespaces) <= CHOICES:
            self.fields["namespace"] = _choice(
                _("Namespace"), [(n, n) for n in namespaces], str(data.get("namespace", ""))
            )
        kinds = [(kind.kind, kind.kind) for kind in BY_RESOURCE.values()]
        self.fields["kind"] = _choice(_("Object"), kinds, str(data.get("kind", "")))

    def rows(self, rows: QuerySet[ClusterEvent]) -> QuerySet[ClusterEvent]:
        """The events that pass; none while a field has an error."""
        if not self.is_valid():
            return rows.none()
        wanted = self.cleaned_data
        if wanted["q"]:
            rows = rows.filter(
                Q(reason__icontains=wanted["q"])
                | Q(about_name__icontains=wanted["q"])
                | Q(message__icontains=wanted["q"])
            )
        if wanted["namespace"]:
            rows = rows.filter(namespace=wanted["namespace"])
        if wanted["kind"]:
            rows = rows.filter(about_kind=wanted["kind"])
        if wanted["type"]:
            rows = rows.filter(warning=wanted["type"] == "warning")
        return rows


def namespace_names(user: Any, cluster: Cluster) -> list[str]:
    """The namespaces to choose from: all where they are few, else none (one types then).

    Those of the cluster, or of it those that the user may see.
    """
    if not sees_all(user):
        mine = own_namespaces(user, cluster, CHOICES + 1)
        return mine if len(mine) <= CHOICES else []
    rows = Object.objects.filter(cluster=cluster, resource="namespaces").order_by("name")
    names = list(rows.values_list("name", flat=True)[: CHOICES + 1])
    return names if len(names) <= CHOICES else []


def _choice(label: Any, choices: list[tuple[str, str]], current: str = "") -> forms.ChoiceField:
    # A link may name a value that is no longer, or not usually, there: it is no error.
    if current and current not in dict(choices):
        choices = [*choices, (current[:253], current[:253])]
    return forms.ChoiceField(label=label, required=False, choices=[("", _("Any")), *choices])
