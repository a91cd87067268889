"""The form of a resource pool, for pages and for the API."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clusters.guarded import is_guarded
from clusters.models import Cluster, Node, ResourcePool, dns_label
from clusters.pools_rules import (
    Taint,
    label_text,
    labels_of,
    namespaces_of,
    nodes_of,
    taint_text,
    taints_of,
)

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_LINES = {**_PLAIN, "rows": 3, "class": "font-monospace"}


class PoolForm(forms.Form):
    """A pool of one cluster. cleaned_data: the fields of ResourcePool."""

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        validators=[dns_label],
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("Nodes get it as the label flotilla.dev/pool. It cannot be changed later."),
    )
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    nodes = forms.CharField(label=_("Nodes"), required=False)
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_LINES, "placeholder": "disk=ssd"}),
        help_text=_("One in a line: key=value. Every node of the pool gets them."),
    )
    taints = forms.CharField(
        label=_("Taints"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_LINES, "placeholder": "team=shop:NoSchedule"}),
        help_text=_(
            "One in a line: key=value:effect, with NoSchedule, PreferNoSchedule or NoExecute. "
            "NoExecute evicts the pods that do not tolerate it."
        ),
    )
    namespaces = forms.CharField(
        label=_("Namespaces"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_LINES, "rows": 2}),
        help_text=_("Those that are bound to this pool, separated by blanks or lines."),
    )

    def __init__(
        self, *args: Any, cluster: Cluster, pool: ResourcePool | None = None, **kwargs: Any
    ) -> None:
        self.cluster, self.pool = cluster, pool
        if pool is not None:
            kwargs["initial"] = initial_of(pool)
        super().__init__(*args, **kwargs)
        if pool is not None:
            del self.fields["name"]

    def clean_name(self) -> str:
        """A name that no other pool of the cluster has."""
        name: str = self.cleaned_data["name"]
        if ResourcePool.objects.filter(cluster=self.cluster, name=name).exists():
            raise ValidationError(
                _("This cluster has a pool “%(name)s” already: choose another name."),
                params={"name": name},
            )
        return name

    def clean_nodes(self) -> list[str]:
        """Nodes of the cluster (or of the pool already) that belong to no other pool."""
        names = nodes_of(self.chosen)
        there = set(Node.objects.filter(cluster=self.cluster).values_list("name", flat=True))
        kept = set(self.pool.nodes) if self.pool else set()
        taken = self.taken()
        problems = [
            _("The cluster has no node “%(node)s”.") % {"node": name}
            for name in names
            if name not in there | kept
        ]
        problems += [
            _("The node “%(node)s” belongs to the pool “%(pool)s”: take it out there first.")
            % {"node": name, "pool": taken[name]}
            for name in names
            if name in taken
        ]
        if problems:
            raise ValidationError(problems)
        return names

    def clean_labels(self) -> dict[str, str]:
        """{key: value} by Kubernetes' grammar."""
        return labels_of(self.cleaned_data["labels"])

    def clean_taints(self) -> list[Taint]:
        """[{"key", "value", "effect"}] by Kubernetes' grammar."""
        return taints_of(self.cleaned_data["taints"])

    def clean_namespaces(self) -> list[str]:
        """Names by Kubernetes' grammar, none of them guarded; a namespace need not be there yet.

        A pool's labels and taints would decide where the cluster's own pods run.
        """
        names = namespaces_of(self.cleaned_data["namespaces"])
        problems = [
            _("“%(name)s” is a namespace of the cluster or the console itself: leave it out.")
            % {"name": name}
            for name in names
            if is_guarded(self.cluster, name)
        ]
        if problems:
            raise ValidationError(problems)
        return names

    @property
    def chosen(self) -> list[str]:
        """The nodes that are ticked, as they were sent."""
        if self.is_bound:
            data: Any = self.data
            sent = data.getlist("nodes") if hasattr(data, "getlist") else data.get("nodes", [])
            return [str(name) for name in sent]
        return list(self.pool.nodes) if self.pool else []

    def taken(self) -> dict[str, str]:
        """{node: pool} of the nodes that other pools have."""
        others = ResourcePool.objects.filter(cluster=self.cluster, deleting=False)
        if self.pool is not None:
            others = others.exclude(pk=self.pool.pk)
        return {name: pool.name for pool in others for name in pool.nodes}


def initial_of(pool: ResourcePool) -> dict[str, Any]:
    """The fields of a pool as the form takes them."""
    return {
        "name": pool.name,
        "description": pool.description,
        "nodes": " ".join(pool.nodes),
        "labels": "\n".join(label_text(k, v) for k, v in pool.labels.items()),
        "taints": "\n".join(taint_text(taint) for taint in pool.taints),
        "namespaces": "\n".join(pool.namespaces),
    }
