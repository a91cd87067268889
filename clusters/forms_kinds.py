"""Which custom kinds of a cluster are to be watched."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clusters.inventory.kinds import Kind
from clusters.inventory.mirror import MOST_CUSTOM
from clusters.models import Cluster, OfferedKinds


class KindsForm(forms.Form):
    """One box for each kind that the cluster offers, and for each that is watched already."""

    kinds = forms.MultipleChoiceField(
        label=_("Kinds"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, cluster: Cluster, offered: OfferedKinds) -> None:
        self.known = {kind.resource: kind for kind in _offered(offered)}
        watched = {row.as_kind.resource: row.as_kind for row in cluster.watched_kinds.all()}
        self.known = {**watched, **self.known}
        super().__init__(data, initial={"kinds": sorted(watched)})
        field = self.fields["kinds"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, f"{kind.kind} · {name}") for name, kind in self._sorted()]

    def _sorted(self) -> list[tuple[str, Kind]]:
        return sorted(self.known.items(), key=lambda pair: (pair[1].group, pair[1].kind))

    def clean_kinds(self) -> list[Kind]:
        """The chosen kinds."""
        chosen = [self.known[name] for name in self.cleaned_data["kinds"]]
        if len(chosen) > MOST_CUSTOM:
            told = _("Choose at most %(most)s kinds: each is watched for as long as it is chosen.")
            raise forms.ValidationError(told % {"most": MOST_CUSTOM})
        return chosen


def _offered(row: OfferedKinds) -> list[Kind]:
    return [
        Kind(raw["group"], (raw["version"],), raw["plural"], raw["kind"], raw["namespaced"])
        for raw in row.kinds
    ]
